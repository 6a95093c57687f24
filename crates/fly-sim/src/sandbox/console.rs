//! A Machine's console: a log file that can't fill the disk.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    path::PathBuf,
};

use tokio::{io::AsyncReadExt as _, net::unix::pipe};

use super::ConsoleLog;

/// Copies the Machine's output to its log until the last process has closed it.
pub(super) async fn record(mut output: pipe::Receiver, log: ConsoleLog) {
    let mut file = match Rotating::open(log) {
        Ok(file) => Some(file),
        Err(error) => {
            tracing::warn!(%error, "the Machine's console log can't be opened; its output is dropped");
            None
        }
    };
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = output.read(&mut buffer).await {
        let bytes = buffer.get(..length).unwrap_or_default();
        if let Some(Err(error)) = file.as_mut().map(|file| file.write(bytes)) {
            tracing::warn!(%error, "the Machine's console log can't be written; its output is dropped");
            file = None;
        }
    }
}

/// A file that moves to `<path>.1` at half of the cap.
struct Rotating {
    log: ConsoleLog,
    file: File,
    length: u64,
}

impl Rotating {
    fn open(log: ConsoleLog) -> io::Result<Self> {
        if let Some(parent) = log.path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        let file = OpenOptions::new().create(true).append(true).open(&log.path)?;
        let length = file.metadata()?.len();
        Ok(Self { log, file, length })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.length >= self.log.max_bytes / 2 {
            std::fs::rename(&self.log.path, self.older())?;
            self.file = File::create(&self.log.path)?;
            self.length = 0;
        }
        self.file.write_all(bytes)?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    fn older(&self) -> PathBuf {
        let mut name = self.log.path.clone().into_os_string();
        name.push(".1");
        name.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_stays_below_its_cap_and_keeps_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("console.log");
        let mut log = Rotating::open(ConsoleLog { path: path.clone(), max_bytes: 200 }).unwrap();
        for line in 0..100 {
            log.write(format!("line {line}\n").as_bytes()).unwrap();
        }
        let older = std::fs::read_to_string(log.older()).unwrap();
        let newer = std::fs::read_to_string(&path).unwrap();
        assert!(older.len() + newer.len() <= 220, "{} + {}", older.len(), newer.len());
        assert!((older + &newer).ends_with("line 98\nline 99\n"));
    }
}
