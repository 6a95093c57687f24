//! From the boot order to a Machine whose root, devices and network are its own.

use std::path::{Path, PathBuf};

use rustix::mount::{MountPropagationFlags, UnmountFlags, mount_change, unmount};

use super::{Doing as _, Step, devices, die_with_parent, network, rootfs, seed};
use crate::sandbox::protocol::BootOrder;

/// Where the host's root stays until the mounts from it are made.
const HOST: &str = "/.host";

/// Makes the Machine's world out of the new namespaces.
pub(super) fn boot(order: &BootOrder) -> Step {
    isolate()?;
    let root = rootfs::build(order)?;
    enter(&root)?;
    devices::mount_all(Path::new(HOST))?;
    rustix::system::sethostname(order.hostname.as_bytes()).doing(|| "setting the hostname".into())?;
    network::set_up()?;
    seed::write_own(&order.hostname)?;
    seed::write_all(&order.files)?;
    // Last, so that seeded files under the mount path lie hidden beneath it, as on Fly.
    if let Some(volume) = &order.volume {
        mount_volume(volume)?;
    }
    leave_host()
}

/// Tries every step that a host may refuse.
pub(super) fn probe() -> Step {
    isolate()?;
    network::set_up()?;
    let root = rootfs::build_empty()?;
    enter(&root)?;
    devices::mount_all(Path::new(HOST))?;
    leave_host()
}

fn isolate() -> Step {
    die_with_parent().doing(|| "tying init to its parent".into())?;
    let private = MountPropagationFlags::REC | MountPropagationFlags::PRIVATE;
    mount_change("/", private).doing(|| "making the mounts private".into())
}

/// Makes `root` the root and keeps the host's under [`HOST`].
fn enter(root: &Path) -> Step {
    let put_old = root.join(HOST.trim_start_matches('/'));
    std::fs::create_dir_all(&put_old).doing(|| format!("creating {}", put_old.display()))?;
    rustix::process::pivot_root(root, &put_old).doing(|| "entering the root filesystem".into())?;
    std::env::set_current_dir("/").doing(|| "entering the root filesystem".into())
}

fn leave_host() -> Step {
    unmount(HOST, UnmountFlags::DETACH).doing(|| "leaving the host's filesystem".into())?;
    std::fs::remove_dir(HOST).doing(|| format!("removing {HOST}"))
}

fn mount_volume(volume: &crate::sandbox::VolumeMount) -> Step {
    let source = under(Path::new(HOST), &volume.host_dir);
    let target = &volume.guest_path;
    std::fs::create_dir_all(target).doing(|| format!("creating the mount path {target}"))?;
    rustix::mount::mount_bind_recursive(&source, target)
        .doing(|| format!("mounting the volume {} at {target}", volume.host_dir.display()))
}

/// An absolute path seen below another root.
pub(super) fn under(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}
