//! Exit codes, signals and exec of a sandboxed Machine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "tests")]

mod sandbox_support;

use std::{collections::BTreeMap, time::Duration};

use fly_sim::sandbox::{ExecRequest, Exit, OUTPUT_LIMIT, Sandbox, SandboxError, Signal};
use sandbox_support::{Fixture, eventually};

fn command(script: &str) -> ExecRequest {
    ExecRequest {
        argv: ["sh", "-c", script].map(str::to_owned).into(),
        env: BTreeMap::new(),
        stdin: None,
        timeout: Duration::from_secs(20),
    }
}

async fn sleeping(fixture: &Fixture) -> Sandbox {
    Sandbox::spawn(fixture.shell("sleep 300")).await.unwrap()
}

#[tokio::test]
async fn an_exit_code_is_reported_and_the_console_is_kept() {
    let fixture = Fixture::new();
    let exit = fixture.run(fixture.shell("echo out; echo err >&2; exit 78")).await;
    assert_eq!(exit, Exit { code: 78, signal: None, oom: false });
    assert_eq!(fixture.console(), "out\nerr\n");
}

#[tokio::test]
async fn a_signal_reaches_the_command_which_may_end_well() {
    let fixture = Fixture::new();
    let machine =
        Sandbox::spawn(fixture.shell("trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done"))
            .await
            .unwrap();
    eventually("the trap is set", async || fixture.console().contains("up")).await;
    machine.signal(Signal::Term).await.unwrap();
    assert_eq!(machine.wait().await, Exit { code: 0, signal: None, oom: false });
    assert_eq!(fixture.console(), "up\nbye\n");
}

#[tokio::test]
async fn a_killed_command_reports_its_signal_and_no_want_of_memory() {
    let fixture = Fixture::new();
    let machine = sleeping(&fixture).await;
    machine.signal(Signal::Kill).await.unwrap();
    assert_eq!(machine.wait().await, Exit { code: 137, signal: Some(9), oom: false });
    assert!(matches!(machine.signal(Signal::Term).await, Err(SandboxError::NotRunning)));
    assert!(matches!(machine.exec(command("true")).await, Err(SandboxError::NotRunning)));
    assert!(matches!(machine.connect(3000).await, Err(SandboxError::NotRunning)));
}

#[tokio::test]
async fn a_missing_program_ends_the_machine_with_127() {
    let fixture = Fixture::new();
    let mut spec = fixture.shell("true");
    spec.argv = vec!["/no/such/program".to_owned()];
    assert_eq!(fixture.run(spec).await.code, 127);
    assert!(fixture.console().contains("can't be started"), "{}", fixture.console());
}

#[tokio::test]
async fn exec_runs_beside_the_command_with_its_environment_and_stdin() {
    let fixture = Fixture::new();
    let machine = sleeping(&fixture).await;
    let mut request = command("cat; echo $GREETING $EXTRA $PWD; echo oops >&2; exit 3");
    request.stdin = Some(b"from stdin\n".to_vec());
    request.env.insert("EXTRA".to_owned(), "more".to_owned());
    let outcome = machine.exec(request).await.unwrap();
    assert_eq!((outcome.exit_code, outcome.exit_signal), (3, 0));
    assert_eq!(String::from_utf8(outcome.stdout).unwrap(), "from stdin\nhello more /app\n");
    assert_eq!(String::from_utf8(outcome.stderr).unwrap(), "oops\n");

    let killed = machine.exec(command("kill -9 $$")).await.unwrap();
    assert_eq!((killed.exit_code, killed.exit_signal), (0, 9));
    let mut missing = command("");
    missing.argv = vec!["no-such-program".to_owned()];
    assert!(matches!(machine.exec(missing).await, Err(SandboxError::Exec(_))));
}

#[tokio::test]
async fn exec_keeps_a_bounded_part_of_the_output_and_ends() {
    let fixture = Fixture::new();
    let machine = sleeping(&fixture).await;
    let outcome = machine.exec(command("head -c 5000000 /dev/zero")).await.unwrap();
    assert_eq!(outcome.stdout.len(), OUTPUT_LIMIT);
    let detached = machine.exec(command("sleep 200 & echo started")).await.unwrap();
    assert_eq!(detached.stdout, b"started\n");
}

#[tokio::test]
async fn exec_that_takes_too_long_is_killed_with_its_children() {
    let fixture = Fixture::new();
    let machine = sleeping(&fixture).await;
    let mut request = command("sleep 201; true");
    request.timeout = Duration::from_millis(300);
    assert!(matches!(machine.exec(request).await, Err(SandboxError::DeadlineExceeded)));
    eventually("its processes are gone", async || {
        let processes = machine.processes().await.unwrap();
        processes.iter().all(|process| !process.command.contains("sleep 201"))
    })
    .await;
}

#[tokio::test]
async fn many_execs_at_once_get_their_own_answers() {
    let fixture = Fixture::new();
    let machine = sleeping(&fixture).await;
    let runs = (0..20).map(|n| {
        let machine = machine.clone();
        async move { (n, machine.exec(command(&format!("echo {n}"))).await.unwrap()) }
    });
    for (n, outcome) in futures::future::join_all(runs).await {
        assert_eq!(outcome.stdout, format!("{n}\n").into_bytes());
    }
}

#[tokio::test]
async fn processes_are_listed_with_what_they_use() {
    let fixture = Fixture::new();
    let machine = Sandbox::spawn(fixture.shell("cd /data; sleep 300; true")).await.unwrap();
    eventually("the shell and its child are listed", async || {
        let processes = machine.processes().await.unwrap();
        processes
            .iter()
            .any(|process| process.command == "sleep 300" && process.directory == "/data" && process.rss > 0)
    })
    .await;
}
