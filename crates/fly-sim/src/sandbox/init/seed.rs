//! Files that lie on the root filesystem before the command starts.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use super::{Doing as _, Step, boot::under};
use crate::sandbox::{SeedFile, protocol::BootOrder};

const HOSTS: &str = "/etc/hosts";
const RESOLV_CONF: &str = "/etc/resolv.conf";
const HOSTNAME: &str = "/etc/hostname";

/// Every path that will be written.
pub(super) fn paths(order: &BootOrder) -> impl Iterator<Item = &Path> {
    let seeded = order.files.iter().map(|file| Path::new(&file.guest_path));
    [HOSTS, RESOLV_CONF, HOSTNAME].into_iter().map(Path::new).chain(seeded)
}

/// Makes the parent folders of seeded files in an upper layer before it is mounted.
///
/// In a user namespace the kernel can't copy up a folder whose owner isn't
/// mapped, and nearly all of the host's belong to such a one.
pub(super) fn reserve(upper: &Path, lowers: &[&Path], at: &Path, order: &BootOrder) -> Step {
    for path in paths(order) {
        let Some(parent) = path.strip_prefix(at).ok().and_then(Path::parent) else { continue };
        let mut relative = PathBuf::new();
        for part in parent {
            relative.push(part);
            if lowers.iter().any(|lower| lower.join(&relative).is_symlink()) {
                break;
            }
            fs::create_dir_all(upper.join(&relative)).doing(|| format!("preparing {}", path.display()))?;
        }
    }
    Ok(())
}

/// The Machine's own name service files; a seeded file may replace them.
pub(super) fn write_own(hostname: &str) -> Step {
    let hosts = format!(
        "127.0.0.1\tlocalhost localhost.localdomain\n::1\tlocalhost ip6-localhost ip6-loopback\n172.19.0.2\t{hostname}\n"
    );
    let own = [
        (HOSTS, hosts),
        (RESOLV_CONF, "nameserver fdaa::3\n".to_owned()),
        (HOSTNAME, format!("{hostname}\n")),
    ];
    own.into_iter().try_for_each(|(path, text)| write(Path::new(path), text.as_bytes(), 0o644))
}

/// Writes the Machine's configured files.
pub(super) fn write_all(files: &[SeedFile]) -> Step {
    files.iter().try_for_each(|file| {
        let path = under(Path::new("/"), Path::new(&file.guest_path));
        write(&path, &file.bytes, file.mode & 0o7777)
    })
}

/// Writes beside the target and renames: an existing file may not be writable.
fn write(path: &Path, bytes: &[u8], mode: u32) -> Step {
    let doing = || format!("writing {}", path.display());
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(format!("{} is no path of a file", path.display()));
    };
    fs::create_dir_all(parent).doing(doing)?;
    let mut draft = name.to_owned();
    draft.push(".seed");
    let draft = parent.join(draft);
    fs::write(&draft, bytes).doing(doing)?;
    fs::set_permissions(&draft, fs::Permissions::from_mode(mode)).doing(doing)?;
    fs::rename(&draft, path).doing(doing)
}
