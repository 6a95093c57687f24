//! Keys in files, as mounted Secrets are.

use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use secrecy::SecretString;
use tokio::time::Instant;

/// How old a key may be.
const FRESH: Duration = Duration::from_secs(30);
/// Largest file that is read, in bytes.
const LARGEST: u64 = 16 * 1024;

/// A key in a file, read again within half a minute of a change. Never printed.
pub struct KeyFile {
    path: PathBuf,
    current: Mutex<Option<Current>>,
}

struct Current {
    key: SecretString,
    read_at: Instant,
}

/// Why there is no key. It shows the file's path and nothing of what is in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The file can't be read.
    #[error("the key file {path} can't be read: {cause}; mount the Secret that holds it")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        cause: std::io::ErrorKind,
    },
    /// It holds nothing that could be a key.
    #[error("the key file {path} holds no key: one line of text is expected")]
    NoKey {
        /// The file.
        path: String,
    },
}

impl KeyFile {
    /// The key in this file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), current: Mutex::new(None) }
    }

    /// The key, without blanks around it. A file that can't be read for a while leaves the key that was.
    ///
    /// # Errors
    /// If it could never be read.
    pub fn read(&self) -> Result<SecretString, KeyError> {
        let mut current = self.lock();
        if let Some(known) = current.as_ref().filter(|known| known.read_at.elapsed() < FRESH) {
            return Ok(known.key.clone());
        }
        let key = match (key(&self.path), current.as_ref()) {
            (Ok(key), _) => key,
            (Err(error), Some(known)) => {
                tracing::warn!(%error, "the key that was is used on");
                known.key.clone()
            }
            (Err(error), None) => return Err(error),
        };
        *current = Some(Current { key: key.clone(), read_at: Instant::now() });
        Ok(key)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Current>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyFile").field(&self.path).finish()
    }
}

fn key(path: &Path) -> Result<SecretString, KeyError> {
    let shown = || path.display().to_string();
    let unreadable = |error: std::io::Error| KeyError::Unreadable { path: shown(), cause: error.kind() };
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(LARGEST).read_to_string(&mut text).map_err(unreadable)?;
    let key = SecretString::from(text.trim());
    let is_key = !text.trim().is_empty() && !text.trim().chars().any(char::is_control);
    is_key.then_some(key).ok_or_else(|| KeyError::NoKey { path: shown() })
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_rotated_key_is_read_again_and_a_broken_file_leaves_the_one_that_was() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let read = |keys: &KeyFile| keys.read().map(|key| key.expose_secret().to_owned());
        let keys = KeyFile::new(file.path());
        assert!(matches!(read(&keys), Err(KeyError::NoKey { .. })));
        for (text, expected) in [(" one\n", "one"), ("two", "two"), ("", "two"), ("a\nb", "two")] {
            std::fs::write(file.path(), text).unwrap();
            tokio::time::advance(FRESH).await;
            assert_eq!(read(&keys), Ok(expected.to_owned()), "{text:?}");
        }
        std::fs::write(file.path(), "three").unwrap();
        assert_eq!(read(&keys), Ok("two".to_owned()), "still fresh");
    }

    #[test]
    fn neither_the_key_nor_an_error_shows_it() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "canary").unwrap();
        let keys = KeyFile::new(file.path());
        let key = keys.read().unwrap();
        std::fs::write(file.path(), "canary\ncanary").unwrap();
        let error = KeyFile::new(file.path()).read().unwrap_err();
        let shown = format!("{keys:?} {key:?} {error} {error:?}");
        assert!(!shown.contains("canary"), "{shown}");
    }
}
