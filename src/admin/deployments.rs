//! `moorage deployments`: what was done to Runtimes and what is being done, each with a log that opens.
//!
//! A log is kept in its RuntimeTask, bounded, as long as the task is. Here each is written to a file, so that the path
//! beside it can be opened, attached to a ticket, or searched.

use std::collections::HashSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};
use serde::Serialize;

use super::output::{self, Output, Table, plain, wrapped};
use super::{AdminError, pages};
use crate::api::condition::{Condition, ConditionType, find};
use crate::api::state::TaskState;
use crate::api::{Runtime, RuntimeTask};

/// Which are shown.
#[derive(Debug, Args)]
pub struct Deployments {
    /// In this namespace alone.
    #[arg(long, short, required_unless_present = "all_namespaces")]
    pub namespace: Option<String>,
    /// In all namespaces.
    #[arg(long, short = 'A', conflicts_with = "namespace")]
    pub all_namespaces: bool,
    /// Folder that the logs are written to, a file each. Left out: `moorage/logs` in the user's cache folder.
    #[arg(long, value_name = "DIR")]
    pub logs: Option<PathBuf>,
    /// How they are shown.
    #[arg(long, short, value_enum, default_value_t)]
    pub output: Output,
}

/// One operation on a Runtime.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Deployment {
    /// `namespace/task`; of an operation without a task `namespace/runtime#operation`.
    pub id: String,
    /// The Runtime.
    pub runtime: String,
    /// What is done.
    #[serde(rename = "type")]
    pub type_: String,
    /// How far it is, in the portal's word.
    pub status: TaskState,
    /// When it was asked for, or began.
    pub created: Option<Timestamp>,
    /// When it last changed, as far as is known.
    pub updated: Option<Timestamp>,
    /// Its log, as a file.
    pub log_path: PathBuf,
    /// Why it failed, or what keeps it.
    pub error: Option<String>,
    /// What the file holds.
    #[serde(skip)]
    log: String,
}

/// Lists them, and writes their logs.
///
/// # Errors
/// If they can't be read, or a log can't be written.
pub async fn run(client: Client, what: &Deployments, print: impl Fn(String)) -> Result<(), AdminError> {
    let folder = what.logs.clone().or_else(cache).ok_or_else(|| {
        AdminError::Refused("there is no cache folder for the logs (HOME isn't set); give --logs DIR".into())
    })?;
    let (runtimes, tasks): (Api<Runtime>, Api<RuntimeTask>) = match &what.namespace {
        Some(namespace) => {
            (Api::namespaced(client.clone(), namespace), Api::namespaced(client.clone(), namespace))
        }
        None => (Api::all(client.clone()), Api::all(client.clone())),
    };
    let tasks = pages(&tasks, &ListParams::default(), "RuntimeTasks").await?;
    let runtimes = pages(&runtimes, &ListParams::default(), "Runtimes").await?;
    let all = deployments(&tasks, &runtimes, &folder);
    for one in &all {
        save(one)?;
    }
    match what.output {
        Output::Json => print(output::json(&all)?),
        Output::Table => lines(&all).into_iter().for_each(print),
    }
    Ok(())
}

/// The newest first: every task, and what is being done without one.
pub fn deployments(tasks: &[RuntimeTask], runtimes: &[Runtime], folder: &Path) -> Vec<Deployment> {
    let recorded: HashSet<(Option<String>, &str)> = tasks
        .iter()
        .filter_map(|task| Some((task.namespace(), task.spec.operation_id.as_deref()?)))
        .collect();
    let of_tasks = tasks.iter().map(|task| of_task(task, folder));
    let of_runtimes = runtimes.iter().filter_map(|runtime| {
        let operation = runtime.status.as_ref()?.operation.as_ref()?;
        let known = recorded.contains(&(runtime.namespace(), operation.id.as_str()));
        if known { None } else { of_operation(runtime, folder) }
    });
    let mut all: Vec<Deployment> = of_tasks.chain(of_runtimes).collect();
    all.sort_by(|a, b| (b.created, &a.id).cmp(&(a.created, &b.id)));
    all
}

fn of_task(task: &RuntimeTask, folder: &Path) -> Deployment {
    let (namespace, name) = (task.namespace().unwrap_or_default(), task.name_any());
    let status = task.status.clone().unwrap_or_default();
    let state = status.state.unwrap_or_default();
    let ready = find(&status.conditions, ConditionType::Ready);
    let created = task.creation_timestamp().map(|time| time.0);
    let changed = ready.map(|ready| ready.last_transition_time);
    let failed = matches!(state, TaskState::Failed | TaskState::Cancelled);
    let mut made = Deployment {
        log_path: path(folder, &namespace, &name),
        id: format!("{namespace}/{name}"),
        runtime: task.spec.runtime_ref.name.clone(),
        type_: format!("{:?}", task.spec.type_),
        status: state,
        created,
        updated: status.finish_time.or(changed).max(status.start_time).max(created),
        error: ready.filter(|_| failed).map(told),
        log: String::new(),
    };
    made.log = log(&made, &status.log, ready);
    made
}

/// What a Runtime says of an operation that no task records: history is best effort, and may be switched off.
fn of_operation(runtime: &Runtime, folder: &Path) -> Option<Deployment> {
    let status = runtime.status.as_ref()?;
    let operation = status.operation.as_ref()?;
    let (namespace, name) = (runtime.namespace().unwrap_or_default(), runtime.name_any());
    let ready = find(&status.conditions, ConditionType::Ready);
    let stalled = find(&status.conditions, ConditionType::Stalled);
    let since = ready.map(|ready| ready.last_transition_time);
    let mut made = Deployment {
        log_path: path(folder, &namespace, &format!("{name}.operation")),
        id: format!("{namespace}/{name}#{}", plain(&operation.id)),
        runtime: name,
        type_: format!("{:?}", operation.type_),
        status: TaskState::Running,
        created: since,
        updated: since,
        error: stalled.map(told),
        log: String::new(),
    };
    made.log = log(&made, std::slice::from_ref(&operation.step), ready);
    Some(made)
}

fn told(condition: &Condition) -> String {
    format!("{}: {}", condition.reason, condition.message)
}

fn path(folder: &Path, namespace: &str, name: &str) -> PathBuf {
    folder.join(namespace).join(format!("{name}.log"))
}

fn log(of: &Deployment, steps: &[String], ready: Option<&Condition>) -> String {
    let mut text = String::new();
    // Writing to a String can't fail.
    let _ = writeln!(text, "{} of the Runtime {} ({})", of.type_, of.runtime, of.id);
    let _ = writeln!(
        text,
        "status {}, created {}, updated {}",
        word(of.status),
        time(of.created),
        time(of.updated)
    );
    for step in steps {
        let _ = writeln!(text, "{}", plain(step));
    }
    if let Some(ready) = ready {
        let _ = writeln!(text, "{}", plain(&told(ready)));
    }
    text
}

fn save(one: &Deployment) -> Result<(), AdminError> {
    let write = || {
        one.log_path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
        std::fs::write(&one.log_path, &one.log)
    };
    write().map_err(|error: std::io::Error| {
        AdminError::Refused(format!(
            "the log {} can't be written: {error}; choose another folder with --logs",
            one.log_path.display()
        ))
    })
}

/// The user's cache folder.
fn cache() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")))?;
    Some(folder.join("moorage/logs"))
}

fn word(state: TaskState) -> &'static str {
    match state {
        TaskState::Pending => "pending",
        TaskState::Running => "running",
        TaskState::Completed => "completed",
        TaskState::Failed => "failed",
        TaskState::Cancelled => "cancelled",
    }
}

fn time(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "-".to_owned(), |at| at.strftime("%FT%TZ").to_string())
}

/// A line for each, and below it the path of its log and what went wrong.
fn lines(all: &[Deployment]) -> Vec<String> {
    if all.is_empty() {
        return vec!["Nothing was done to any Runtime here, or its history is over (`taskHistory`).".into()];
    }
    let mut lines = Vec::new();
    let mut table = Table::new(&["ID", "STATUS", "CREATED", "UPDATED"]);
    for one in all {
        table.row([one.id.clone(), word(one.status).to_owned(), time(one.created), time(one.updated)]);
    }
    let mut rows = table.lines().into_iter();
    lines.extend(rows.next());
    for one in all {
        // A long id stands on a line of its own.
        let line = rows.next();
        let alone = line.as_deref() == Some(one.id.as_str());
        lines.extend(line);
        if alone {
            lines.extend(rows.next());
        }
        lines.push(format!("  log    {}", one.log_path.display()));
        if let Some(error) = &one.error {
            let wrapped = wrapped(9, error);
            lines.extend(wrapped.iter().enumerate().map(|(index, line)| {
                if index == 0 { format!("  error  {}", line.trim_start()) } else { line.clone() }
            }));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn task(name: &str, created: &str, state: &str) -> RuntimeTask {
        serde_json::from_value(json!({
            "apiVersion": "moorage.dev/v1alpha1", "kind": "RuntimeTask",
            "metadata": {"name": name, "namespace": "acme", "creationTimestamp": created},
            "spec": {"runtimeRef": {"name": "ops"}, "type": "Upgrade", "operationID": format!("op-{name}")},
            "status": {"state": state, "log": ["CreateMachine"], "startTime": created,
                "conditions": [{"type": "Ready", "status": "False", "reason": "Capacity", "observedGeneration": 1,
                    "message": "No room.", "lastTransitionTime": "2026-11-21T12:00:00Z"}]}}))
        .unwrap()
    }

    fn runtime(operation: &str) -> Runtime {
        serde_json::from_value(json!({
            "apiVersion": "moorage.dev/v1alpha1", "kind": "Runtime",
            "metadata": {"name": "ops", "namespace": "acme"}, "spec": {},
            "status": {"operation": {"id": operation, "type": "Provision", "step": "CreateVolume"}}}))
        .unwrap()
    }

    #[test]
    fn the_newest_is_first_and_an_operation_without_a_task_is_shown() {
        let tasks =
            [task("a", "2026-11-21T10:00:00Z", "completed"), task("b", "2026-11-21T11:00:00Z", "failed")];
        let all = deployments(&tasks, &[runtime("op-a"), runtime("op-c")], Path::new("/logs"));
        let ids: Vec<&str> = all.iter().map(|one| one.id.as_str()).collect();
        assert_eq!(ids, ["acme/b", "acme/a", "acme/ops#op-c"]);
        assert_eq!(all[0].error.as_deref(), Some("Capacity: No room."));
        assert_eq!(all[1].error, None, "what ended well has no error");
    }

    #[test]
    fn each_path_opens_and_holds_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let all =
            deployments(&[task("a", "2026-11-21T10:00:00Z", "failed")], &[runtime("op-c")], folder.path());
        for one in &all {
            save(one).unwrap();
        }
        let log = std::fs::read_to_string(&all[0].log_path).unwrap();
        assert!(log.contains("CreateMachine") && log.contains("Capacity: No room."), "{log}");
        let lines = lines(&all);
        for one in &all {
            assert!(lines.contains(&format!("  log    {}", one.log_path.display())), "{lines:#?}");
        }
    }
}
