//! Starting a Machine's init.

use std::{
    ffi::CString,
    fs::{self, File},
    io::{self, Seek as _, Write as _},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::{net::unix::pipe, process};

use super::{Image, MACHINE_INIT, SandboxError, SandboxSpec, control::Control, init, protocol::BootOrder};

/// A started init that hasn't got its order yet.
pub(super) struct Launched {
    pub(super) control: Control,
    pub(super) process: process::Child,
    pub(super) output: pipe::Receiver,
}

/// Starts the program as a Machine's init.
pub(super) fn start(program: &Path) -> io::Result<Launched> {
    let (control, far) = Control::pair()?;
    let (output, writer) = io::pipe()?;
    let process = process::Command::new(program)
        .arg(MACHINE_INIT)
        .env_clear()
        .stdin(Stdio::from(far))
        .stdout(Stdio::from(writer.try_clone()?))
        .stderr(Stdio::from(writer))
        .kill_on_drop(true)
        .spawn()?;
    Ok(Launched { control, process, output: pipe::Receiver::from_owned_fd(output.into())? })
}

/// Checks the specification and turns it into an order, in a memory file of its own.
pub(super) fn order(spec: &SandboxSpec) -> Result<OwnedFd, SandboxError> {
    if spec.argv.is_empty() {
        return Err(SandboxError::Boot(
            "there is no command: set init.exec, init.cmd or the image's Cmd".into(),
        ));
    }
    let image = Image::load(&spec.image)?;
    let writing = SandboxError::io("writing a Machine's boot order");
    write_memory_file(&boot_order(spec, image)).map_err(writing)
}

fn boot_order(spec: &SandboxSpec, image: Image) -> BootOrder {
    BootOrder {
        image: absolute(&spec.image),
        host_mounts: image.host_mounts,
        scratch: absolute(&spec.scratch),
        rootfs: spec.rootfs,
        hostname: spec.hostname.clone(),
        argv: spec.argv.clone(),
        env: spec.env.clone(),
        working_dir: spec.working_dir.clone(),
        files: spec.files.clone(),
        volume: spec
            .volume
            .clone()
            .map(|volume| super::VolumeMount { host_dir: absolute(&volume.host_dir), ..volume }),
    }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// The order holds secrets, so it never touches a disk.
fn write_memory_file(order: &BootOrder) -> io::Result<OwnedFd> {
    let name = CString::from(c"machine-boot-order");
    let mut file = File::from(rustix::fs::memfd_create(name, rustix::fs::MemfdFlags::CLOEXEC)?);
    file.write_all(&serde_json::to_vec(order)?)?;
    file.rewind()?;
    Ok(file.into())
}

/// Empties the scratch folder, so that each boot has a fresh root filesystem.
pub(super) fn clear(scratch: &Path) -> io::Result<()> {
    init::rootfs::unlock_work_dirs(scratch);
    match fs::remove_dir_all(scratch) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::create_dir_all(scratch)
}

/// Tells whether this host can run Machines as processes, and if not, why.
///
/// It starts the program as a probe that makes the namespaces and mounts, and
/// nothing else; it takes some milliseconds.
pub fn supported_by(program: &Path) -> Result<(), String> {
    let output = std::process::Command::new(program)
        .args([MACHINE_INIT, init::PROBE])
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{} can't be started: {error}", program.display()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
}
