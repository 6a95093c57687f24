//! `/dev` and `/proc` of a Machine.

use std::{
    fs::{self, File},
    os::unix::fs::symlink,
    path::Path,
};

use rustix::mount::{MountFlags, mount, mount_bind};

use super::{Doing as _, Step};

const NODES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];
const LINKS: [(&str, &str); 5] = [
    ("/proc/self/fd", "fd"),
    ("/proc/self/fd/0", "stdin"),
    ("/proc/self/fd/1", "stdout"),
    ("/proc/self/fd/2", "stderr"),
    ("pts/ptmx", "ptmx"),
];

/// Mounts both in the current root; the host's is seen below `host`.
pub(super) fn mount_all(host: &Path) -> Step {
    mount_proc()?;
    mount_dev(host)
}

fn mount_proc() -> Step {
    fs::create_dir_all("/proc").doing(|| "creating /proc".into())?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("proc", "/proc", "proc", flags, None).doing(|| "mounting /proc".into())
}

fn mount_dev(host: &Path) -> Step {
    let dev = Path::new("/dev");
    fs::create_dir_all(dev).doing(|| "creating /dev".into())?;
    mount("tmpfs", dev, "tmpfs", MountFlags::NOSUID, c"mode=755").doing(|| "mounting /dev".into())?;
    for node in NODES {
        bind_node(&host.join("dev").join(node), &dev.join(node))?;
    }
    for (target, name) in LINKS {
        symlink(target, dev.join(name)).doing(|| format!("linking /dev/{name}"))?;
    }
    mount_in_dev("shm", "tmpfs", c"mode=1777")?;
    mount_in_dev("pts", "devpts", c"newinstance,ptmxmode=0666,mode=620")
}

/// Device nodes can't be made in a user namespace, only borrowed.
fn bind_node(source: &Path, target: &Path) -> Step {
    if !source.exists() {
        return Ok(());
    }
    let doing = || format!("binding {}", source.display());
    File::create(target).doing(doing)?;
    mount_bind(source, target).doing(doing)
}

fn mount_in_dev(name: &str, kind: &str, data: &std::ffi::CStr) -> Step {
    let target = Path::new("/dev").join(name);
    fs::create_dir(&target).doing(|| format!("creating /dev/{name}"))?;
    let flags = MountFlags::NOSUID | MountFlags::NOEXEC;
    mount(kind, &target, kind, flags, data).doing(|| format!("mounting /dev/{name}"))
}
