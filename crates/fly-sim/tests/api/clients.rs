//! A client in another language, and the program itself.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The program, ended when the test ends.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn serve(folder: &Path, more: &[&str]) -> (Program, Value) {
    let ready = folder.join("ready.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_fly-sim"));
    command.args(["serve", "--exit-with-parent", "--ready-file", ready.to_str().unwrap()]).args(more);
    let program = Program(command.stdin(Stdio::piped()).spawn().unwrap());
    let until = Instant::now() + Duration::from_secs(20);
    while !ready.exists() {
        assert!(Instant::now() < until, "no ready file");
        std::thread::sleep(Duration::from_millis(20));
    }
    (program, serde_json::from_slice(&std::fs::read(ready).unwrap()).unwrap())
}

#[test]
fn a_python_client_goes_through_a_machines_whole_life() {
    let folder = tempfile::tempdir().unwrap();
    let (_program, ready) = serve(folder.path(), &["--org", "personal", "--token", "FlyV1 fm2_secret"]);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/machine_life.py");
    let run = Command::new("python3")
        .arg(script)
        .env("FLY_FLAPS_BASE_URL", ready["api"].as_str().unwrap())
        .env("FLY_API_TOKEN", "FlyV1 fm2_secret,fm2_discharge")
        .output()
        .expect("python3 is needed for this test");
    let (out, err) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{out}\n{err}");
    assert!(out.trim_end().ends_with("destroyed and gone"), "{out}");
}

#[test]
fn a_simulator_that_is_killed_forgets_nothing_that_it_answered() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let more = ["--state-dir", state.to_str().unwrap()];
    for round in 0..3 {
        let (program, ready) = serve(folder.path(), &more);
        let api = ready["api"].as_str().unwrap();
        let script = format!(
            "import json,urllib.request as u\n\
             def call(p,b=None):\n  \
             r=u.Request('{api}'+p,None if b is None else json.dumps(b).encode(),{{'Authorization':'Bearer x'}})\n  \
             return json.load(u.urlopen(r))\n\
             assert call('/v1/apps')['total_apps']=={round}\n\
             assert len([e for e in call('/_sim/ledger?kind=effect')['entries'] if e['effect']=='app.create'])=={round}\n\
             call('/v1/apps',{{'name':'app-{round}','org_slug':'personal'}})\n"
        );
        let run = Command::new("python3").args(["-c", &script]).output().unwrap();
        drop(program);
        assert!(run.status.success(), "round {round}: {}", String::from_utf8_lossy(&run.stderr));
        std::fs::remove_file(folder.path().join("ready.json")).unwrap();
    }
}

#[test]
fn it_ends_when_its_parent_does() {
    let folder = tempfile::tempdir().unwrap();
    let (mut program, _) = serve(folder.path(), &[]);
    drop(program.0.stdin.take());
    let until = Instant::now() + Duration::from_secs(10);
    let status = loop {
        if let Some(status) = program.0.try_wait().unwrap() {
            break status;
        }
        assert!(Instant::now() < until, "it goes on without its parent");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(status.success());
}

#[test]
fn a_command_line_that_makes_no_sense_is_refused() {
    for wrong in [&["--regions", "atlantis"][..], &["--driver", "process"], &["--token-file", "/nonexistent"]]
    {
        let run = Command::new(env!("CARGO_BIN_EXE_fly-sim")).arg("serve").args(wrong).output().unwrap();
        assert!(!run.status.success(), "{wrong:?}");
        assert!(!run.stderr.is_empty());
    }
}
