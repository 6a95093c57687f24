//! The simulator's handle on a running Machine.

use std::{
    collections::HashMap,
    fmt, io,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    net::TcpStream,
    process::Child,
    sync::{oneshot, watch},
    task::JoinHandle,
};

use super::{
    ExecOutcome, ExecRequest, Exit, ProcessStat, SandboxError, SandboxSpec, Signal, console,
    control::Control,
    exec, launch,
    protocol::{Reply, Request},
};

/// A boot that copies a big image on a slow disk ends within this.
const BOOT_DEADLINE: Duration = Duration::from_mins(3);
/// How long the console may lag behind the Machine's end.
const CONSOLE_DRAIN: Duration = Duration::from_secs(2);

type Answer = (Reply, Vec<OwnedFd>);

/// A running Machine; clones share it, and it is killed when the last is dropped.
#[derive(Clone)]
pub struct Sandbox {
    machine: Arc<Machine>,
}

/// Closes the control channel when the last handle goes, which ends init.
struct Machine {
    shared: Arc<Shared>,
    exit: watch::Receiver<Option<Exit>>,
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.shared.control.close();
    }
}

/// What requests and the reader of replies share.
pub(super) struct Shared {
    control: Control,
    waiting: Mutex<HashMap<u64, oneshot::Sender<Answer>>>,
    last_id: AtomicU64,
}

impl Sandbox {
    /// Boots a Machine: it returns once the command runs.
    pub async fn spawn(spec: SandboxSpec) -> Result<Self, SandboxError> {
        let (order, spec) = prepare(spec).await?;
        let launched =
            launch::start(&spec.init_program).map_err(SandboxError::io("starting a Machine's init"))?;
        let recorder = tokio::spawn(console::record(launched.output, spec.console.clone()));
        let giving = SandboxError::io("giving a Machine its boot order");
        launched.control.send(&Request::Boot, &[order.as_fd()]).await.map_err(giving)?;
        drop(order);
        await_boot(&launched.control).await?;
        let shared = Arc::new(Shared {
            control: launched.control,
            waiting: Mutex::default(),
            last_id: AtomicU64::new(0),
        });
        let (announce, exit) = watch::channel(None);
        let remains = Remains { process: launched.process, recorder, scratch: spec.scratch };
        tokio::spawn(attend(shared.clone(), remains, announce));
        Ok(Self { machine: Arc::new(Machine { shared, exit }) })
    }

    /// Whether this host can run Machines as processes, with the own executable as init.
    pub fn supported() -> Result<(), String> {
        let program =
            std::env::current_exe().map_err(|error| format!("the own program isn't known: {error}"))?;
        launch::supported_by(&program)
    }

    /// A connection to a port of the Machine, from Fly's proxy as the Machine sees it: 172.19.0.1.
    pub async fn connect(&self, port: u16) -> Result<TcpStream, SandboxError> {
        let id = self.machine.shared.next_id();
        let request = Request::Connect { id, port };
        let failed = |cause: io::Error| SandboxError::Connect { port, cause };
        match self.machine.shared.ask(id, &request).await? {
            (Reply::Connected { .. }, mut fds) => {
                let fd = fds.pop().ok_or_else(|| failed(io::ErrorKind::UnexpectedEof.into()))?;
                TcpStream::from_std(fd.into()).map_err(failed)
            }
            (Reply::Failed { errno: Some(errno), .. }, _) => Err(failed(io::Error::from_raw_os_error(errno))),
            (Reply::Failed { cause, .. }, _) => Err(failed(io::Error::new(io::ErrorKind::TimedOut, cause))),
            _ => Err(SandboxError::NotRunning),
        }
    }

    /// Runs a command beside the Machine's own and waits for its end.
    pub async fn exec(&self, request: ExecRequest) -> Result<ExecOutcome, SandboxError> {
        exec::run(&self.machine.shared, request).await
    }

    /// Sends a signal to the Machine's command. It is queued, not waited for.
    pub async fn signal(&self, signal: Signal) -> Result<(), SandboxError> {
        self.machine.shared.tell(&Request::Signal { signal }).await
    }

    /// The Machine's processes without its init.
    pub async fn processes(&self) -> Result<Vec<ProcessStat>, SandboxError> {
        let id = self.machine.shared.next_id();
        match self.machine.shared.ask(id, &Request::Processes { id }).await? {
            (Reply::Processes { processes, .. }, _) => Ok(processes),
            _ => Err(SandboxError::NotRunning),
        }
    }

    /// Waits until the Machine has ended, its console is written and its writable layer is gone.
    pub async fn wait(&self) -> Exit {
        let mut exit = self.machine.exit.clone();
        let ended = exit.wait_for(Option::is_some).await;
        ended.ok().and_then(|exit| *exit).unwrap_or(Exit::KILLED)
    }

    /// Ends the Machine at once, as a host that loses power.
    pub fn kill(&self) {
        self.machine.shared.control.close();
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").field("exit", &*self.machine.exit.borrow()).finish_non_exhaustive()
    }
}

impl Shared {
    pub(super) fn next_id(&self) -> u64 {
        self.last_id.fetch_add(1, Ordering::Relaxed)
    }

    /// Sends a request that has no answer.
    pub(super) async fn tell(&self, request: &Request) -> Result<(), SandboxError> {
        self.control.send(request, &[]).await.map_err(|cause| not_running_or(&cause))
    }

    /// Sends a request; the receiver yields its answer, or fails when the Machine ends.
    pub(super) async fn call(
        &self,
        id: u64,
        request: &Request,
        fds: &[BorrowedFd<'_>],
    ) -> Result<oneshot::Receiver<Answer>, SandboxError> {
        let (sender, receiver) = oneshot::channel();
        self.waiting().insert(id, sender);
        let sent = self.control.send(request, fds).await;
        if sent.is_err() {
            self.waiting().remove(&id);
        }
        sent.map(|()| receiver).map_err(|cause| not_running_or(&cause))
    }

    async fn ask(&self, id: u64, request: &Request) -> Result<Answer, SandboxError> {
        self.call(id, request, &[]).await?.await.map_err(|_closed| SandboxError::NotRunning)
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, HashMap<u64, oneshot::Sender<Answer>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn not_running_or(cause: &io::Error) -> SandboxError {
    match cause.kind() {
        io::ErrorKind::ArgumentListTooLong => SandboxError::Exec(cause.to_string()),
        _ => SandboxError::NotRunning,
    }
}

/// The file work before a boot, off the runtime's threads.
async fn prepare(spec: SandboxSpec) -> Result<(OwnedFd, SandboxSpec), SandboxError> {
    let work = tokio::task::spawn_blocking(move || {
        let order = launch::order(&spec)?;
        launch::clear(&spec.scratch).map_err(SandboxError::io("emptying a Machine's scratch folder"))?;
        Ok((order, spec))
    });
    work.await.map_err(|error| SandboxError::Boot(error.to_string()))?
}

async fn await_boot(control: &Control) -> Result<(), SandboxError> {
    let first = tokio::time::timeout(BOOT_DEADLINE, control.receive::<Reply>()).await;
    match first {
        Ok(Ok(Some((Reply::Booted, _)))) => Ok(()),
        Ok(Ok(Some((Reply::BootFailed { cause }, _)))) => Err(SandboxError::Boot(cause)),
        Ok(Ok(_)) => Err(SandboxError::Boot("init ended before the command ran; see the console log".into())),
        Ok(Err(cause)) => Err(SandboxError::Io { doing: "waiting for a Machine's boot", cause }),
        Err(_) => Err(SandboxError::Boot(format!("no boot within {} s", BOOT_DEADLINE.as_secs()))),
    }
}

/// What is left to do when a Machine has ended.
struct Remains {
    process: Child,
    recorder: JoinHandle<()>,
    scratch: std::path::PathBuf,
}

/// Hands out replies until the Machine ends, then cleans up and announces the exit.
async fn attend(shared: Arc<Shared>, mut remains: Remains, announce: watch::Sender<Option<Exit>>) {
    let mut exit = Exit::KILLED;
    while let Ok(Some((reply, fds))) = shared.control.receive::<Reply>().await {
        if let Reply::Exited { exit: seen } = reply {
            exit = seen;
        } else if let Some(waiting) = reply.id().and_then(|id| shared.waiting().remove(&id)) {
            // Whoever asked may have given up.
            let _ = waiting.send((reply, fds));
        }
    }
    shared.control.close();
    if let Err(error) = remains.process.wait().await {
        tracing::warn!(%error, "a Machine's init can't be waited for");
    }
    shared.waiting().clear();
    if tokio::time::timeout(CONSOLE_DRAIN, &mut remains.recorder).await.is_err() {
        remains.recorder.abort();
    }
    clean(remains.scratch).await;
    announce.send_replace(Some(exit));
}

async fn clean(scratch: std::path::PathBuf) {
    let cleaned = tokio::task::spawn_blocking(move || launch::clear(&scratch)).await;
    if let Ok(Err(error)) = cleaned {
        tracing::warn!(%error, "a Machine's scratch folder can't be emptied");
    }
}
