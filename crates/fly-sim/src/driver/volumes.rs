//! Volumes as folders; copies and removals happen one after the other, off the runtime.

use std::path::{Path, PathBuf};

use tokio::sync::{mpsc, oneshot};

/// Where volumes' and snapshots' contents are.
#[derive(Clone, Debug)]
pub struct VolumeFolders {
    folder: PathBuf,
    work: mpsc::UnboundedSender<Work>,
}

#[derive(Debug)]
enum Work {
    Copy { from: PathBuf, to: PathBuf },
    Remove(PathBuf),
    Tell(oneshot::Sender<()>),
}

impl VolumeFolders {
    /// Volumes in a folder; must be called on a runtime.
    pub fn new(folder: PathBuf) -> Self {
        let (work, mut jobs) = mpsc::unbounded_channel();
        tokio::task::spawn_blocking(move || {
            while let Some(job) = jobs.blocking_recv() {
                if let Err(error) = perform(job) {
                    tracing::warn!(%error, "a volume's folder couldn't be changed");
                }
            }
        });
        Self { folder, work }
    }

    /// The folder of a volume, once everything asked for earlier is done.
    pub async fn ready(&self, volume: &str) -> std::io::Result<PathBuf> {
        let (tell, told) = oneshot::channel();
        self.give(Work::Tell(tell));
        told.await.map_err(std::io::Error::other)?;
        let path = self.folder.join(volume);
        tokio::fs::create_dir_all(&path).await?;
        Ok(path)
    }

    /// Copies a volume's or snapshot's content.
    pub fn copy(&self, from: &str, to: &str) {
        self.give(Work::Copy { from: self.folder.join(from), to: self.folder.join(to) });
    }

    /// Removes a volume's content.
    pub fn remove(&self, volume: &str) {
        self.give(Work::Remove(self.folder.join(volume)));
    }

    fn give(&self, work: Work) {
        if self.work.send(work).is_err() {
            tracing::warn!("the runtime is ending; a volume's folder stays as it is");
        }
    }
}

fn perform(job: Work) -> std::io::Result<()> {
    match job {
        Work::Copy { from, to } => copy(&from, &to),
        Work::Remove(path) if path.exists() => std::fs::remove_dir_all(path),
        Work::Remove(_) => Ok(()),
        // Whoever asked may have been stopped.
        Work::Tell(tell) => {
            let _ = tell.send(());
            Ok(())
        }
    }
}

/// Copies folders, files and links; sockets and pipes are left out.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    if !from.exists() {
        return Ok(());
    }
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let (kind, target) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            copy(&entry.path(), &target)?;
            std::fs::set_permissions(&target, entry.metadata()?.permissions())?;
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(std::fs::read_link(entry.path())?, target)?;
        } else if kind.is_file() {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_copy_is_whole_when_the_volume_is_ready() {
        let folder = tempfile::tempdir().unwrap();
        let volumes = VolumeFolders::new(folder.path().to_owned());
        let source = volumes.ready("vol_a").await.unwrap();
        std::fs::create_dir(source.join("sub")).unwrap();
        std::fs::write(source.join("sub/file"), "text").unwrap();
        volumes.copy("vol_a", "vol_b");
        let copied = volumes.ready("vol_b").await.unwrap();
        assert_eq!(std::fs::read_to_string(copied.join("sub/file")).unwrap(), "text");
        volumes.remove("vol_a");
        volumes.ready("vol_b").await.unwrap();
        assert!(!source.exists());
    }
}
