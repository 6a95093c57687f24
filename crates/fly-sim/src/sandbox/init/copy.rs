//! A root filesystem without overlays: the image copied, host folders read-only.

use std::{
    fs, io,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
};

use rustix::{
    fs::{StatVfsMountFlags, statvfs},
    mount::{MountFlags, mount_bind_recursive, mount_remount},
};

use super::{
    Doing as _, Step,
    boot::under,
    rootfs::{Borrow, borrow, pin},
    seed,
};
use crate::sandbox::protocol::BootOrder;

/// Copies the image and binds what it borrows.
pub(super) fn build(order: &BootOrder, root: &Path) -> Step {
    let image = order.image.join("rootfs");
    copy_tree(&image, root).doing(|| format!("copying {}", image.display()))?;
    pin(root)?;
    for borrowed in &order.host_mounts {
        if matches!(borrow(&image, root, borrowed)?, Borrow::Folder) {
            let place = under(root, borrowed);
            if seed::paths(order).any(|path| path.starts_with(borrowed)) || under(&image, borrowed).exists() {
                // It must be written to, or merged: a read-only bind allows neither.
                copy_tree(borrowed, &place).doing(|| format!("copying {}", borrowed.display()))?;
            } else {
                bind_read_only(borrowed, &place)?;
            }
        }
    }
    Ok(())
}

fn bind_read_only(source: &Path, target: &Path) -> Step {
    let doing = || format!("binding {}", source.display());
    mount_bind_recursive(source, target).doing(doing)?;
    // Flags that the host has set are locked in a user namespace and must be kept.
    let kept = statvfs(target).doing(doing)?.f_flag;
    let mut flags = MountFlags::BIND | MountFlags::RDONLY;
    for (held, flag) in [
        (StatVfsMountFlags::NOSUID, MountFlags::NOSUID),
        (StatVfsMountFlags::NODEV, MountFlags::NODEV),
        (StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
        (StatVfsMountFlags::NOATIME, MountFlags::NOATIME),
        (StatVfsMountFlags::RELATIME, MountFlags::RELATIME),
    ] {
        if kept.contains(held) {
            flags |= flag;
        }
    }
    mount_remount(target, flags, c"").doing(doing)
}

/// Copies folders, files and symlinks; what is there already stays. Files that
/// the user may not read (such as `/etc/shadow`) and special files are left out.
fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target, kind) = (entry.path(), to.join(entry.file_name()), entry.file_type()?);
        let outcome = if kind.is_dir() {
            copy_tree(&source, &target)
        } else if target.is_symlink() || target.exists() {
            Ok(())
        } else if kind.is_symlink() {
            fs::read_link(&source).and_then(|link| symlink(link, &target))
        } else if kind.is_file() {
            fs::copy(&source, &target).map(|_bytes| ())
        } else {
            Ok(())
        };
        match outcome {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            other => other?,
        }
    }
    let mode = fs::metadata(from)?.permissions().mode() | 0o700;
    fs::set_permissions(to, fs::Permissions::from_mode(mode))
}
