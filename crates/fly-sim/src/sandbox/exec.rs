//! Commands run in a Machine beside its own.

use std::{
    collections::BTreeMap,
    fmt, io,
    os::fd::{AsFd as _, OwnedFd},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::unix::pipe,
    task::JoinHandle,
};

use super::{
    SandboxError,
    handle::Shared,
    protocol::{Reply, Request},
};

/// The most bytes kept of stdout and of stderr; the rest is read and dropped.
pub const OUTPUT_LIMIT: usize = 1 << 20;

/// How long output may lag behind the end of its command. Only a command that
/// left a process in the background, which keeps the pipe open, waits for this.
const STRAGGLERS: Duration = Duration::from_millis(200);

/// A command for [`super::Sandbox::exec`].
#[derive(Clone)]
pub struct ExecRequest {
    /// Program and arguments; no shell.
    pub argv: Vec<String>,
    /// Variables on top of the Machine's environment.
    pub env: BTreeMap<String, String>,
    /// What the command reads from stdin; none means an empty stdin.
    pub stdin: Option<Vec<u8>>,
    /// After this its processes are killed.
    pub timeout: Duration,
}

impl fmt::Debug for ExecRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecRequest")
            .field("argv", &self.argv)
            .field("env", &self.env.keys().collect::<Vec<_>>())
            .field("stdin_bytes", &self.stdin.as_ref().map(Vec::len))
            .field("timeout", &self.timeout)
            .finish()
    }
}

/// How a command ended and what it wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecOutcome {
    /// The exit code; 0 if a signal ended it.
    pub exit_code: i32,
    /// The signal that ended it, else 0.
    pub exit_signal: i32,
    /// At most [`OUTPUT_LIMIT`] bytes.
    pub stdout: Vec<u8>,
    /// At most [`OUTPUT_LIMIT`] bytes.
    pub stderr: Vec<u8>,
}

pub(super) async fn run(shared: &Shared, request: ExecRequest) -> Result<ExecOutcome, SandboxError> {
    let (near, far) = pipes().map_err(SandboxError::io("making pipes for an exec"))?;
    let id = shared.next_id();
    let message = Request::Exec { id, argv: request.argv, env: request.env };
    let answer = shared.call(id, &message, &far.each_ref().map(OwnedFd::as_fd)).await?;
    drop(far);
    let feeder = tokio::spawn(feed(near.stdin, request.stdin.unwrap_or_default()));
    let outputs = [Capture::start(near.stdout), Capture::start(near.stderr)];
    let answer = tokio::time::timeout(request.timeout, answer).await;
    feeder.abort();
    match answer {
        Ok(Ok((reply, _))) => outcome(reply, outputs).await,
        Ok(Err(_closed)) => Err(SandboxError::NotRunning),
        Err(_elapsed) => {
            shared.tell(&Request::Cancel { id }).await?;
            Err(SandboxError::DeadlineExceeded)
        }
    }
}

async fn outcome(reply: Reply, [stdout, stderr]: [Capture; 2]) -> Result<ExecOutcome, SandboxError> {
    match reply {
        Reply::Executed { exit, .. } => Ok(ExecOutcome {
            exit_code: if exit.signal.is_some() { 0 } else { exit.code },
            exit_signal: exit.signal.unwrap_or(0),
            stdout: stdout.finish().await,
            stderr: stderr.finish().await,
        }),
        Reply::Failed { cause, .. } => Err(SandboxError::Exec(cause)),
        _ => Err(SandboxError::NotRunning),
    }
}

/// The simulator's ends of a command's stdio.
struct Near {
    stdin: pipe::Sender,
    stdout: pipe::Receiver,
    stderr: pipe::Receiver,
}

/// Pipes for stdin, stdout and stderr: the own ends, and the command's.
fn pipes() -> io::Result<(Near, [OwnedFd; 3])> {
    let (stdin_far, stdin) = io::pipe()?;
    let (stdout, stdout_far) = io::pipe()?;
    let (stderr, stderr_far) = io::pipe()?;
    let near = Near {
        stdin: pipe::Sender::from_owned_fd(stdin.into())?,
        stdout: pipe::Receiver::from_owned_fd(stdout.into())?,
        stderr: pipe::Receiver::from_owned_fd(stderr.into())?,
    };
    Ok((near, [stdin_far.into(), stdout_far.into(), stderr_far.into()]))
}

async fn feed(mut stdin: pipe::Sender, bytes: Vec<u8>) {
    // A command that doesn't read its stdin closes it: no fault of ours.
    let _ = stdin.write_all(&bytes).await;
}

/// Reads a pipe to its end and keeps the first [`OUTPUT_LIMIT`] bytes.
struct Capture {
    kept: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Capture {
    fn start(mut pipe: pipe::Receiver) -> Self {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let target = kept.clone();
        let reader = tokio::spawn(async move {
            let mut buffer = vec![0; 16 * 1024];
            while let Ok(length @ 1..) = pipe.read(&mut buffer).await {
                let mut kept = target.lock().unwrap_or_else(PoisonError::into_inner);
                let room = OUTPUT_LIMIT.saturating_sub(kept.len()).min(length);
                kept.extend_from_slice(buffer.get(..room).unwrap_or_default());
            }
        });
        Self { kept, reader }
    }

    async fn finish(mut self) -> Vec<u8> {
        if tokio::time::timeout(STRAGGLERS, &mut self.reader).await.is_err() {
            self.reader.abort();
        }
        std::mem::take(&mut *self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.reader.abort();
    }
}
