//! Overlay mounts in a user namespace.

use std::{
    ffi::CString,
    fs,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use super::{Doing as _, Step};

/// The writable layers of one Machine, and how this kernel mounts them.
pub(super) struct Layers {
    dir: PathBuf,
    options: &'static str,
}

impl Layers {
    /// Finds a way to mount overlays: on the scratch folder's own filesystem, or,
    /// where that can't hold a layer, in memory.
    pub(super) fn new(scratch: &Path) -> Step<Self> {
        let dir = scratch.join("layers");
        fs::create_dir_all(&dir).doing(|| format!("creating {}", dir.display()))?;
        if let Some(found) = Self::try_in(&dir) {
            return Ok(found);
        }
        mount("tmpfs", &dir, "tmpfs", MountFlags::empty(), None).doing(|| "mounting a tmpfs".into())?;
        if let Some(found) = Self::try_in(&dir) {
            return Ok(found);
        }
        // The copy that comes instead shall not lie in memory.
        unmount(&dir, UnmountFlags::DETACH).doing(|| "unmounting a tmpfs".into())?;
        Err("the kernel allows no overlay in a user namespace".to_owned())
    }

    fn try_in(dir: &Path) -> Option<Self> {
        // Without `userxattr` removing and remaking a folder fails, but older
        // filesystems in memory can't have it.
        ["userxattr,", ""].into_iter().find_map(|options| {
            let layers = Self { dir: dir.to_owned(), options };
            layers.works().ok().map(|()| layers)
        })
    }

    fn works(&self) -> Step {
        let (lower, target) = (self.folder("trial", "lower")?, self.folder("trial", "target")?);
        self.mount("trial", &[&lower], &target)?;
        unmount(&target, UnmountFlags::DETACH).doing(|| "unmounting a trial overlay".into())
    }

    /// The folder whose content lies above the lower layers.
    pub(super) fn upper(&self, name: &str) -> Step<PathBuf> {
        self.folder("upper", name)
    }

    /// Mounts the lower folders, first on top, with the writable layer of this name above them.
    pub(super) fn mount(&self, name: &str, lowers: &[&Path], target: &Path) -> Step {
        let (upper, work) = (self.upper(name)?, self.folder("work", name)?);
        let mut data = format!("{}lowerdir=", self.options).into_bytes();
        for (index, lower) in lowers.iter().enumerate() {
            data.extend_from_slice(if index == 0 { b"" } else { b":" });
            data.extend_from_slice(plain(lower)?);
        }
        data.extend_from_slice(b",upperdir=");
        data.extend_from_slice(plain(&upper)?);
        data.extend_from_slice(b",workdir=");
        data.extend_from_slice(plain(&work)?);
        let data = CString::new(data).doing(|| "mounting an overlay".into())?;
        mount("overlay", target, "overlay", MountFlags::empty(), data.as_c_str())
            .doing(|| format!("mounting an overlay at {}", target.display()))
    }

    fn folder(&self, kind: &str, name: &str) -> Step<PathBuf> {
        let path = self.dir.join(kind).join(name);
        fs::create_dir_all(&path).doing(|| format!("creating {}", path.display()))?;
        Ok(path)
    }
}

/// Overlay options are separated by commas and colons.
fn plain(path: &Path) -> Step<&[u8]> {
    let bytes = path.as_os_str().as_bytes();
    if bytes.iter().any(|byte| b",:\\".contains(byte)) {
        return Err(format!("{} has a comma, colon or backslash: choose another folder", path.display()));
    }
    Ok(bytes)
}
