//! Commands and processes inside a Machine.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Path, State};
use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

use super::answer::{Answer, Caller, key, ok, read, text};
use crate::driver::{Exec, ExecError, ExecResult};
use crate::error::{ApiError, ApiResult};
use crate::faults::Environment;
use crate::model::machine::MachineState;
use crate::world::{Key, Sim, State as World};

/// A command that takes longer than this ends in 408, whatever its own timeout.
const LONGEST: Duration = Duration::from_secs(30);

/// `POST …/exec`
pub async fn exec(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path((app, machine)): Path<(String, String)>,
    body: Bytes,
) -> Answer {
    let exec = asked(&read(&body)?)?;
    let key = key(app, machine);
    let scripted = {
        let mut state = caller.enter(&sim);
        running(&state, &key)?;
        let detail = json!({ "command": exec.argv.first() });
        state.effect("machine.exec", &key.app, &key.id, detail);
        scripted(&state, &exec)
    };
    let timeout = exec.timeout.min(LONGEST);
    let result = match (scripted, sim.driver.exec(&key.id, exec.clone())) {
        (None, Some(running)) => running.await,
        (Some((result, time)), _) if time <= timeout => {
            tokio::time::sleep(time).await;
            Ok(result)
        }
        (Some(_), _) => {
            tokio::time::sleep(timeout).await;
            Err(ExecError::TimedOut)
        }
        (None, None) => Ok(echo(&exec)),
    };
    match result {
        Ok(result) => ok(&result),
        Err(ExecError::NotRunning) => Err(ApiError::precondition("machine not running")),
        Err(ExecError::TimedOut) => Err(ApiError::deadline("context deadline exceeded")),
        Err(error) => Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, format!("internal: {error}"))),
    }
}

fn asked(body: &Value) -> ApiResult<Exec> {
    let argv = match (&body["cmd"], &body["command"]) {
        (Value::Array(_), _) => {
            let text =
                "json: cannot unmarshal array into Go struct field MachineExecRequest.cmd of type string";
            return Err(ApiError::new(StatusCode::BAD_REQUEST, text));
        }
        (_, Value::Array(words)) => words.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        (Value::String(line), _) => words(line),
        _ => Vec::new(),
    };
    if argv.is_empty() {
        return Err(ApiError::invalid("command is required"));
    }
    let timeout =
        body["timeout"].as_u64().filter(|seconds| *seconds > 0).map_or(LONGEST, Duration::from_secs);
    Ok(Exec { argv, stdin: text(body, "stdin"), timeout })
}

/// Splits a line as a shell would, with single and double quotes.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote, mut open) = (Vec::new(), String::new(), None, false);
    for c in line.chars() {
        match quote {
            Some(q) if q == c => quote = None,
            None if c == '\'' || c == '"' => (quote, open) = (Some(c), true),
            None if c.is_whitespace() => {
                if open {
                    words.push(std::mem::take(&mut word));
                }
                open = false;
            }
            _ => {
                word.push(c);
                open = true;
            }
        }
    }
    if open {
        words.push(word);
    }
    words
}

fn running(state: &World, key: &Key) -> ApiResult<()> {
    let machine = state.found(key)?;
    state.reachable(key)?;
    if machine.state == MachineState::Started {
        Ok(())
    } else {
        Err(ApiError::precondition("machine not running"))
    }
}

fn scripted(state: &World, exec: &Exec) -> Option<(ExecResult, Duration)> {
    state.faults.environments.find(|environment| match environment {
        Environment::ExecAnswer { command, exit_code, stdout, stderr, ms }
            if command.is_empty() || Some(command) == exec.argv.first() =>
        {
            let (stdout, stderr) = (stdout.clone(), stderr.clone());
            let result = ExecResult { exit_code: *exit_code, exit_signal: 0, stdout, stderr };
            Some((result, Duration::from_millis(*ms)))
        }
        _ => None,
    })
}

/// What a Machine without a process answers: the words after `echo`, else nothing.
fn echo(exec: &Exec) -> ExecResult {
    let stdout = match exec.argv.split_first() {
        Some((program, rest)) if program == "echo" => format!("{}\n", rest.join(" ")),
        Some((program, _)) if program == "cat" => exec.stdin.clone(),
        _ => String::new(),
    };
    ExecResult { stdout, ..ExecResult::default() }
}

/// `GET …/ps`
pub async fn processes(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path((app, machine)): Path<(String, String)>,
) -> Answer {
    let key = key(app, machine);
    running(&caller.enter(&sim), &key)?;
    ok(&sim.driver.processes(&key.id).await)
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn a_line_is_split_as_a_shell_splits_it() {
        assert_eq!(words(r#"sh -c "echo 'a b'" ''"#), ["sh", "-c", "echo 'a b'", ""]);
        assert_eq!(words("  "), [""; 0]);
    }
}
