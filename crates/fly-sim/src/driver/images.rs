//! Images as local folders, listed in `index.json`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Where images are.
#[derive(Clone, Debug)]
pub struct Images {
    folder: PathBuf,
}

/// One image.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ImageEntry {
    /// `sha256:…`
    pub digest: String,
    /// Its folder; relative to the one of `index.json`.
    pub dir: PathBuf,
}

impl Images {
    /// Images in a folder.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// The image that a reference means: listed by that name, or by its digest.
    ///
    /// The list is read anew each time, so that an image can be added while the simulator runs.
    pub fn find(&self, reference: &str) -> Option<ImageEntry> {
        let text = std::fs::read(self.folder.join("index.json")).ok()?;
        let index: BTreeMap<String, ImageEntry> = match serde_json::from_slice(&text) {
            Ok(index) => index,
            Err(error) => {
                tracing::warn!(%error, "index.json of the images can't be read");
                return None;
            }
        };
        let digest = reference.split_once('@').map(|(_, digest)| digest);
        let by_digest = || index.values().find(|entry| Some(entry.digest.as_str()) == digest);
        let found = index.get(reference).or_else(by_digest)?.clone();
        Some(ImageEntry { dir: self.folder.join(found.dir), ..found })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn found_by_name_and_by_digest() {
        let folder = tempfile::tempdir().unwrap();
        let index = r#"{"ghcr.io/o/c:1":{"digest":"sha256:ab","dir":"one"}}"#;
        std::fs::write(folder.path().join("index.json"), index).unwrap();
        let images = Images::new(folder.path());
        let dir = |reference| images.find(reference).map(|entry| entry.dir);
        assert_eq!(dir("ghcr.io/o/c:1"), Some(folder.path().join("one")));
        assert_eq!(dir("ghcr.io/o/c@sha256:ab"), Some(folder.path().join("one")));
        assert_eq!(dir("ghcr.io/o/c:2"), None);
    }
}
