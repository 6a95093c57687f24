//! Init at work: it runs the command, reaps, and answers the simulator.

use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    io,
    net::{Ipv4Addr, SocketAddr},
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::process::CommandExt as _,
    },
    process::{Command, ExitCode, Stdio},
    rc::Rc,
    time::Duration,
};

use rustix::process::{Pid, WaitOptions, WaitStatus, kill_process, kill_process_group, wait};
use tokio::{
    net::TcpSocket,
    signal::unix::{Signal, SignalKind, signal},
};

use super::{Doing as _, Step, boot, network, processes};
use crate::sandbox::{
    Exit,
    control::Control,
    protocol::{BootOrder, Reply, Request},
};

/// Where programs are sought if the environment has no PATH, as in an image without one.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// What a shell reports for a command that it can't start.
const CANNOT_START: Exit = Exit { code: 127, signal: None, oom: false };
/// A local connection is made or refused at once, unless the port's backlog is full.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);

/// The inner process, from the first packet to the command's end.
pub(super) fn run() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = runtime
        .doing(|| "starting init".into())
        .and_then(|runtime| runtime.block_on(tokio::task::LocalSet::new().run_until(live())));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => super::report_on_stderr(cause),
    }
}

async fn live() -> Step {
    let channel = io::stdin().as_fd().try_clone_to_owned().doing(|| "taking the control channel".into())?;
    let control = Rc::new(Control::new(channel).doing(|| "taking the control channel".into())?);
    let order = receive_order(&control).await?;
    if let Err(cause) = boot::boot(&order) {
        let told = Reply::BootFailed { cause: cause.clone() };
        control.send(&told, &[]).await.doing(|| "reporting a failed boot".into())?;
        return Err(cause);
    }
    let children = signal(SignalKind::child()).doing(|| "listening for ended processes".into())?;
    control.send(&Reply::Booted, &[]).await.doing(|| "reporting the boot".into())?;
    Init {
        control,
        order,
        main: None,
        cancelled_by_us: false,
        oom_kills: processes::oom_kills(),
        execs: HashMap::new(),
    }
    .serve(children)
    .await
}

async fn receive_order(control: &Control) -> Step<BootOrder> {
    let packet = control.receive::<Request>().await.doing(|| "receiving the boot order".into())?;
    match packet {
        Some((Request::Boot, mut fds)) => {
            let file = File::from(fds.pop().ok_or("the boot order is missing")?);
            serde_json::from_reader(file).doing(|| "reading the boot order".into())
        }
        _ => Err("the first packet must be the boot order".to_owned()),
    }
}

struct Init {
    control: Rc<Control>,
    order: BootOrder,
    main: Option<Pid>,
    cancelled_by_us: bool,
    oom_kills: u64,
    /// Which request each process of an `exec` belongs to.
    execs: HashMap<Pid, u64>,
}

impl Init {
    async fn serve(mut self, mut children: Signal) -> Step {
        let started = start(
            &self.order,
            &self.order.argv,
            &BTreeMap::new(),
            [Stdio::null(), Stdio::inherit(), Stdio::inherit()],
        );
        match started {
            Ok(pid) => self.main = Some(pid),
            Err(cause) => {
                super::report_on_stderr(format!("the command can't be started: {cause}"));
                return self.end(CANNOT_START).await;
            }
        }
        loop {
            tokio::select! {
                packet = self.control.receive::<Request>() => match packet {
                    Ok(Some((request, fds))) => self.handle(request, fds).await?,
                    // The simulator is gone: so is the Machine.
                    Ok(None) | Err(_) => return Ok(()),
                },
                _ = children.recv() => if let Some(exit) = self.reap().await? {
                    return self.end(exit).await;
                },
            }
        }
    }

    async fn end(&self, exit: Exit) -> Step {
        self.reply(&Reply::Exited { exit }, None).await
    }

    async fn reply(&self, reply: &Reply, fd: Option<&OwnedFd>) -> Step {
        let fds: Vec<_> = fd.iter().map(|fd| fd.as_fd()).collect();
        self.control.send(reply, &fds).await.doing(|| "answering".into())
    }

    async fn handle(&mut self, request: Request, fds: Vec<OwnedFd>) -> Step {
        match request {
            Request::Boot => Err("booted already".to_owned()),
            Request::Connect { id, port } => {
                tokio::task::spawn_local(connect(self.control.clone(), id, port));
                Ok(())
            }
            Request::Exec { id, argv, env } => self.exec(id, &argv, &env, fds).await,
            Request::Cancel { id } => {
                self.cancel(id);
                Ok(())
            }
            Request::Signal { signal } => {
                self.cancelled_by_us |= signal == crate::sandbox::Signal::Kill;
                // A command that has just ended needs no signal.
                let _ = self.main.map(|pid| kill_process(pid, signal.raw()));
                Ok(())
            }
            Request::Processes { id } => {
                self.reply(&Reply::Processes { id, processes: processes::list() }, None).await
            }
        }
    }

    async fn exec(
        &mut self,
        id: u64,
        argv: &[String],
        env: &BTreeMap<String, String>,
        fds: Vec<OwnedFd>,
    ) -> Step {
        let stdio: Result<[OwnedFd; 3], _> = fds.try_into();
        let started = stdio
            .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))
            .and_then(|stdio| start(&self.order, argv, env, stdio.map(Stdio::from)));
        match started {
            Ok(pid) => {
                self.execs.insert(pid, id);
                Ok(())
            }
            Err(cause) => self.reply(&failed(id, &cause), None).await,
        }
    }

    fn cancel(&mut self, id: u64) {
        for pid in self.execs.iter().filter(|(_, owner)| **owner == id).map(|(pid, _)| *pid) {
            // It may end at this moment by itself.
            let _ = kill_process_group(pid, rustix::process::Signal::KILL);
        }
    }

    /// Collects ended processes; returns the command's exit if it is among them.
    async fn reap(&mut self) -> Step<Option<Exit>> {
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            if self.main == Some(pid) {
                return Ok(Some(self.exit_of_command(status)));
            }
            if let Some(id) = self.execs.remove(&pid) {
                self.reply(&Reply::Executed { id, exit: exit_of(status) }, None).await?;
            }
        }
        Ok(None)
    }

    /// The kernel doesn't say who killed a process; but when it ran out of memory it counts.
    fn exit_of_command(&self, status: WaitStatus) -> Exit {
        let exit = exit_of(status);
        let killed = exit.signal == Some(rustix::process::Signal::KILL.as_raw());
        Exit { oom: killed && !self.cancelled_by_us && processes::oom_kills() > self.oom_kills, ..exit }
    }
}

fn exit_of(status: WaitStatus) -> Exit {
    let signal = status.terminating_signal();
    let code = status.exit_status().or(signal.map(|signal| 128 + signal)).unwrap_or(1);
    Exit { code, signal, oom: false }
}

/// Starts a process in a group of its own, with the Machine's environment.
fn start(
    order: &BootOrder,
    argv: &[String],
    env: &BTreeMap<String, String>,
    stdio: [Stdio; 3],
) -> io::Result<Pid> {
    let (program, arguments) = argv.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let [input, output, errors] = stdio;
    let directory = if order.working_dir.is_empty() { "/" } else { &order.working_dir };
    let child = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs([("PATH", PATH), ("HOME", "/root")])
        .envs(&order.env)
        .envs(env)
        .current_dir(directory)
        .stdin(input)
        .stdout(output)
        .stderr(errors)
        .process_group(0)
        .spawn()?;
    // Reaped by `reap`, which sees all children.
    i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or_else(|| io::Error::other("odd process id"))
}

/// Opens a connection from the proxy's address and hands it over.
async fn connect(control: Rc<Control>, id: u64, port: u16) {
    let made = tokio::time::timeout(CONNECT_DEADLINE, open(port)).await;
    let made = made.unwrap_or_else(|_elapsed| Err(io::ErrorKind::TimedOut.into()));
    let sent = match &made {
        Ok(connection) => control.send(&Reply::Connected { id }, &[connection.as_fd()]).await,
        Err(cause) => control.send(&failed(id, cause), &[]).await,
    };
    // Without the channel the Machine is about to end.
    let _ = sent;
}

async fn open(port: u16) -> io::Result<OwnedFd> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((network::PROXY, 0)))?;
    let machine: Ipv4Addr = network::MACHINE;
    let stream = socket.connect(SocketAddr::from((machine, port))).await?;
    Ok(stream.into_std()?.into())
}

fn failed(id: u64, cause: &io::Error) -> Reply {
    Reply::Failed { id, cause: cause.to_string(), errno: cause.raw_os_error() }
}
