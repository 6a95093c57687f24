//! Three programs that wait for the same object, each as one would call it.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use testbed::{Identity, go_tool};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::support::{SOON, Tenant};

/// Longer than anything takes here.
const PATIENCE: &str = "90s";
/// So long a wait is looked at while it has nothing to end for.
const WHILE: Duration = Duration::from_millis(1_500);

/// What `kubectl wait` says when its time is over.
const TIMED_OUT: &str = "timed out waiting for the condition";

/// An object, and who waits for it.
pub struct Waits {
    ready: Child,
    stalled: Child,
    kstatus: Child,
    verdicts: Lines<BufReader<ChildStdout>>,
    object: Object,
}

#[derive(Clone)]
struct Object {
    kubectl: PathBuf,
    kubeconfig: PathBuf,
    namespace: String,
    kind: &'static str,
    name: String,
}

impl Waits {
    /// Begins to wait for an object.
    pub async fn begin(tenant: &Tenant<'_>, kind: &'static str, name: &str) -> Self {
        let object = Object {
            kubectl: tenant.cluster.kubectl(),
            kubeconfig: tenant.cluster.kubeconfig(&Identity::Admin).await.unwrap(),
            namespace: tenant.namespace.clone(),
            kind,
            name: name.to_owned(),
        };
        let mut kstatus = spawn(&mut object.kstatus().await);
        let verdicts = BufReader::new(kstatus.stdout.take().unwrap()).lines();
        let [ready, stalled] = ["Ready", "Stalled"].map(|it| spawn(&mut object.kubectl_wait(it, PATIENCE)));
        Self { ready, stalled, kstatus, verdicts, object }
    }

    /// All go on: none finds its end, nor gives up.
    pub async fn go_on(&mut self) {
        let seen = timeout(SOON, self.verdicts.next_line()).await.unwrap().unwrap();
        let seen = seen.unwrap_or_else(|| panic!("kstatus ended at once on {}", self.object.name));
        assert!(seen.contains("InProgress") || seen.contains("Terminating"), "{}: {seen}", self.object.name);
        tokio::time::sleep(WHILE).await;
        for (what, child) in [
            ("kubectl wait for Ready", &mut self.ready),
            ("kubectl wait for Stalled", &mut self.stalled),
            ("the wait of kstatus", &mut self.kstatus),
        ] {
            assert_eq!(child.try_wait().unwrap(), None, "{what} ended on {}", self.object.name);
        }
    }

    /// All find that it is at rest, save the one that waits for a failure.
    pub async fn end_well(mut self) {
        self.ends("kubectl wait for Ready", 0).await;
        self.ends("kstatus", 0).await;
        self.object.times_out("Stalled").await;
    }

    /// All find that it has failed, save the one that waits for its readiness, which nothing tells.
    pub async fn end_in_failure(mut self) {
        self.ends("kubectl wait for Stalled", 0).await;
        self.ends("kstatus", 2).await;
        self.object.times_out("Ready").await;
    }

    async fn ends(&mut self, which: &str, code: i32) {
        let child = match which {
            "kstatus" => &mut self.kstatus,
            "kubectl wait for Ready" => &mut self.ready,
            _ => &mut self.stalled,
        };
        // What it still says has to be read, or it would wait for that.
        while which == "kstatus" && timeout(SOON, self.verdicts.next_line()).await.unwrap().unwrap().is_some()
        {
        }
        let status = timeout(SOON, child.wait()).await;
        let status = status.unwrap_or_else(|_| panic!("{which} goes on for {}", self.object.name)).unwrap();
        assert_eq!(status.code(), Some(code), "{which} for {} {}", self.object.kind, self.object.name);
    }
}

impl Object {
    fn kubectl_wait(&self, condition: &str, patience: &str) -> Command {
        let mut command = Command::new(&self.kubectl);
        command.arg("--kubeconfig").arg(&self.kubeconfig).args(["-n", &self.namespace, "wait"]);
        command.arg(format!("--for=condition={condition}")).arg(format!("--timeout={patience}"));
        command.arg(format!("{}.moorage.dev/{}", self.kind.to_lowercase(), self.name));
        command
    }

    async fn kstatus(&self) -> Command {
        static PROGRAM: OnceCell<PathBuf> = OnceCell::const_new();
        let build = async || tokio::task::spawn_blocking(|| go_tool("kstatus")).await.unwrap().unwrap();
        let mut command = Command::new(PROGRAM.get_or_init(build).await);
        command.args(["wait", "-timeout", PATIENCE, "-kubeconfig"]).arg(&self.kubeconfig);
        command.args([&self.namespace, &format!("{}.moorage.dev", self.kind), &self.name]);
        command
    }

    /// A wait of a second for this condition ends as one does whose time is over.
    async fn times_out(&self, condition: &str) {
        let output = self.kubectl_wait(condition, "1s").output().await.unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{condition} of {}: {told}", self.name);
        assert!(told.contains(TIMED_OUT), "{condition} of {}: {told}", self.name);
    }
}

fn spawn(command: &mut Command) -> Child {
    let pipes = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    pipes.kill_on_drop(true).spawn().unwrap()
}
