//! How a Machine's checks stand.

use super::State;
use crate::clock::rfc3339;
use crate::faults::Environment;
use crate::model::machine::{CheckResult, Machine, MachineState};

impl State {
    /// The checks of a Machine. The process driver reports them; without processes they pass after a while.
    pub fn checks_of(&self, app: &str, machine: &Machine) -> Vec<CheckResult> {
        let names = names(machine);
        if names.is_empty() {
            return Vec::new();
        }
        if self.driver.runs_processes() {
            let known = |name: &String| machine.checks.iter().find(|check| check.name == *name).cloned();
            return names.iter().map(|name| known(name).unwrap_or_else(|| waiting(name, machine))).collect();
        }
        let scripted = self.faults.environments.find(|environment| match environment {
            Environment::CheckAnswer { app: of, status, output } if of.is_empty() || of == app => {
                Some((status.clone(), output.clone()))
            }
            _ => None,
        });
        let passes_at = machine.started_at + self.settings.delays.checks.1;
        let passes = machine.state == MachineState::Started && passes_at <= self.now;
        let (status, output) = match scripted {
            Some(scripted) => scripted,
            None if passes => ("passing".to_owned(), r#"{"ok":true,"status":"live"}"#.to_owned()),
            None => ("critical".to_owned(), "connect: connection refused".to_owned()),
        };
        let updated_at = rfc3339(if passes { passes_at } else { machine.changed_at });
        let result = |name: String| CheckResult {
            name,
            status: status.clone(),
            output: output.clone(),
            updated_at: updated_at.clone(),
        };
        names.into_iter().map(result).collect()
    }
}

fn waiting(name: &str, machine: &Machine) -> CheckResult {
    CheckResult {
        name: name.to_owned(),
        status: "warning".to_owned(),
        output: "the machine hasn't started".to_owned(),
        updated_at: rfc3339(machine.changed_at),
    }
}

/// The names of all checks: those of services are numbered.
pub fn names(machine: &Machine) -> Vec<String> {
    let parts = machine.config.parts();
    let mut names: Vec<String> = parts.checks.keys().cloned().collect();
    let mut number = 0;
    for service in &parts.services {
        for check in &service.checks {
            names.push(service_check(number, &check.kind, service.internal_port));
            number += 1;
        }
    }
    names
}

/// The name that a service's check is shown by.
pub fn service_check(number: usize, kind: &str, port: u16) -> String {
    let kind = if kind.is_empty() { "tcp" } else { kind };
    format!("servicecheck-{number:02}-{kind}-{port}")
}
