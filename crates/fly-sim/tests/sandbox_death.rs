//! Nothing of a Machine outlives the simulator.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "tests")]

mod sandbox_support;

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use fly_sim::sandbox::{Exit, Sandbox};
use sandbox_support::{Fixture, ROLE, eventually};

/// A simulator with one Machine, until it is killed. No test by itself.
#[tokio::test]
async fn act_as_simulator() {
    let Ok(marker) = std::env::var(ROLE) else { return };
    let fixture = Fixture::new();
    let script = format!("sleep {marker} & setsid sleep {marker} & sleep {marker}");
    let _machine = Sandbox::spawn(fixture.shell(&script)).await.unwrap();
    eventually("the Machine's processes run", async || running(&marker) == 3).await;
    println!("\nmachine is up");
    std::future::pending::<()>().await;
}

/// How many processes of this host sleep that odd number of seconds.
fn running(marker: &str) -> usize {
    let wanted = format!("sleep\0{marker}\0");
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter(|entry| fs::read_to_string(entry.path().join("cmdline")).is_ok_and(|line| line == wanted))
        .count()
}

#[tokio::test]
async fn a_killed_simulator_takes_its_machines_along() {
    let marker = format!("7{}", std::process::id());
    let mut simulator = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "act_as_simulator", "--nocapture"])
        .env(ROLE, &marker)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(simulator.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "machine is up"), "the simulator must have started a Machine");
    assert_eq!(running(&marker), 3);
    simulator.kill().unwrap();
    simulator.wait().unwrap();
    eventually("the Machine's processes are gone", async || running(&marker) == 0).await;
}

#[tokio::test]
async fn a_dropped_machine_ends() {
    let marker = format!("8{}", std::process::id());
    let fixture = Fixture::new();
    let machine = Sandbox::spawn(fixture.shell(&format!("sleep {marker}"))).await.unwrap();
    eventually("it runs", async || running(&marker) == 1).await;
    drop(machine);
    eventually("it is gone", async || running(&marker) == 0).await;
}

#[tokio::test]
async fn a_machine_whose_command_ends_leaves_no_process() {
    let marker = format!("9{}", std::process::id());
    let fixture = Fixture::new();
    let exit = fixture.run(fixture.shell(&format!("setsid sleep {marker} & exit 4"))).await;
    assert_eq!(exit, Exit { code: 4, signal: None, oom: false });
    assert_eq!(running(&marker), 0);
}

#[test]
fn this_host_is_found_able_and_a_program_that_is_none_is_not() {
    let program = env!("CARGO_BIN_EXE_fly-sim");
    fly_sim::sandbox::supported_by(program.as_ref()).unwrap();
    let reason = fly_sim::sandbox::supported_by("/no/such/program".as_ref()).unwrap_err();
    assert!(reason.contains("/no/such/program"), "{reason}");
}
