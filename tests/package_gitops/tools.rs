//! What other people's programs make of objects: Argo CD by its Lua interpreter, Flux and Helm by kstatus.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;
use testbed::{Kstatus, documents, go_tool, kstatus};

/// What Argo CD says of an object: status and message.
pub fn argo(script: &Path, object: &Value) -> (String, String) {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let mut command = Command::new(PROGRAM.get_or_init(|| go_tool("argo-health").unwrap()));
    let health = ask(command.arg(script), &object.to_string()).remove(0);
    (text(&health["status"]), text(&health["message"]))
}

/// What kstatus itself says of each object; and the testbed's own reading of its rules says the same.
pub fn kstatuses(objects: &[Value]) -> Vec<Kstatus> {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let mut command = Command::new(PROGRAM.get_or_init(|| go_tool("kstatus").unwrap()));
    let lines = objects.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    let verdicts = ask(command.arg("compute"), &lines);
    assert_eq!(verdicts.len(), objects.len());
    for (object, verdict) in objects.iter().zip(&verdicts) {
        assert_eq!(verdict["status"], format!("{:?}", kstatus(object)), "{object}");
    }
    objects.iter().map(kstatus).collect()
}

/// Runs a program on some input; its answers are lines of JSON.
fn ask(command: &mut Command, input: &str) -> Vec<Value> {
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let question = input.to_owned();
    // Beside the reading, for the program answers before it has heard all.
    let writer = std::thread::spawn(move || stdin.write_all(question.as_bytes()));
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{input}: {}", String::from_utf8_lossy(&output.stderr));
    writer.join().unwrap().unwrap();
    let answers = String::from_utf8(output.stdout).unwrap();
    answers.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

pub fn yaml(path: &Path) -> Vec<Value> {
    documents(&fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
        .unwrap_or_else(|error| panic!("{}: {error:#}", path.display()))
}
