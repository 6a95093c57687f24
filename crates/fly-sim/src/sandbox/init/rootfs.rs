//! The Machine's root filesystem: the image below, a fresh layer above.
//!
//! The image's `rootfs/` is the lower layer of an overlay; each host folder that
//! the image borrows becomes an overlay of its own, below what the image itself
//! brings there. So everything is writable, nothing of it reaches the image or
//! the host, and all of it is gone at the next boot.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use rustix::mount::{MountFlags, mount, mount_bind};

use super::{Doing as _, Step, boot::under, copy, overlay::Layers, seed};
use crate::sandbox::{RootfsStrategy, protocol::BootOrder};

/// Builds the root filesystem and returns where it is mounted.
pub(super) fn build(order: &BootOrder) -> Step<PathBuf> {
    let root = order.scratch.join("root");
    fs::create_dir_all(&root).doing(|| format!("creating {}", root.display()))?;
    match order.rootfs {
        RootfsStrategy::Overlay => build_overlay(order, &root, &Layers::new(&order.scratch)?)?,
        RootfsStrategy::Copy => copy::build(order, &root)?,
        RootfsStrategy::Auto => match Layers::new(&order.scratch) {
            Ok(layers) => build_overlay(order, &root, &layers)?,
            Err(_refused) => copy::build(order, &root)?,
        },
    }
    fs::create_dir_all(root.join("tmp")).doing(|| "creating /tmp".into())?;
    fs::set_permissions(root.join("tmp"), fs::Permissions::from_mode(0o1777))
        .doing(|| "opening /tmp".into())?;
    Ok(root)
}

fn build_overlay(order: &BootOrder, root: &Path, layers: &Layers) -> Step {
    let image = order.image.join("rootfs");
    seed::reserve(&layers.upper("root")?, &[&image], Path::new("/"), order)?;
    layers.mount("root", &[&image], root)?;
    for (index, borrowed) in order.host_mounts.iter().enumerate() {
        match borrow(&image, root, borrowed)? {
            Borrow::Nothing => {}
            Borrow::Folder => {
                let name = format!("host-{index}");
                let own = under(&image, borrowed);
                let lowers: Vec<&Path> = if own.is_dir() { vec![&own, borrowed] } else { vec![borrowed] };
                seed::reserve(&layers.upper(&name)?, &lowers, borrowed, order)?;
                layers.mount(&name, &lowers, &under(root, borrowed))?;
            }
        }
    }
    Ok(())
}

/// What is to be mounted for a borrowed host path.
pub(super) enum Borrow {
    /// It is a symlink, and made; or the image has its own; or the host has none.
    Nothing,
    /// A folder, whose mount point exists now.
    Folder,
}

/// Prepares the place of a borrowed host path in the root.
pub(super) fn borrow(image: &Path, root: &Path, borrowed: &Path) -> Step<Borrow> {
    let place = under(root, borrowed);
    if under(image, borrowed).is_symlink() {
        return Ok(Borrow::Nothing);
    }
    let doing = || format!("preparing {}", borrowed.display());
    if let Ok(target) = fs::read_link(borrowed) {
        if !place.exists() {
            std::os::unix::fs::symlink(target, place).doing(doing)?;
        }
        return Ok(Borrow::Nothing);
    }
    if !borrowed.is_dir() {
        return Ok(Borrow::Nothing);
    }
    fs::create_dir_all(place).doing(doing)?;
    Ok(Borrow::Folder)
}

/// An empty root in memory, for the probe.
pub(super) fn build_empty() -> Step<PathBuf> {
    let root = PathBuf::from("/tmp");
    mount("tmpfs", &root, "tmpfs", MountFlags::empty(), None).doing(|| "mounting a tmpfs".into())?;
    Ok(root)
}

/// Makes a folder a mount point of its own, as a root must be.
pub(super) fn pin(root: &Path) -> Step {
    mount_bind(root, root).doing(|| format!("mounting {}", root.display()))
}

/// The kernel leaves an overlay's work folders without any permission, and
/// their owner can't delete them like that.
pub(in crate::sandbox) fn unlock_work_dirs(scratch: &Path) {
    let Ok(entries) = fs::read_dir(scratch.join("layers/work")) else { return };
    for entry in entries.flatten() {
        // What can't be unlocked shows when the folder is deleted.
        let _ = fs::set_permissions(entry.path().join("work"), fs::Permissions::from_mode(0o700));
    }
}
