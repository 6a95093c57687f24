//! Sees every version of every Runtime of a namespace, and holds each against the contract of conditions.

use std::sync::{Arc, Mutex};

use futures::TryStreamExt;
use kube::Api;
use kube::runtime::watcher::{Config, Event, watcher};
use moorage::api::Runtime;
use serde_json::Value;
use testbed::{Kstatus, Moment, check_conditions, kstatus};
use tokio::task::JoinHandle;

/// What was seen so far.
pub struct Witness {
    seen: Arc<Mutex<Vec<Value>>>,
    task: JoinHandle<()>,
}

impl Witness {
    /// Begins to look.
    pub fn new(runtimes: Api<Runtime>) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            let note = |event| {
                if let Event::Apply(runtime) | Event::InitApply(runtime) = event {
                    let object = serde_json::to_value::<Runtime>(runtime).unwrap_or_default();
                    into.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(object);
                }
                futures::future::ready(Ok(()))
            };
            let _ = watcher(runtimes, Config::default()).try_for_each(note).await;
        });
        Self { seen, task }
    }

    /// Every version of every object, as they came.
    pub fn all(&self) -> Vec<Value> {
        self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Every version of an object, oldest first.
    pub fn versions(&self, name: &str) -> Vec<Value> {
        let mut all = self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        all.retain(|object| object["metadata"]["name"] == name);
        all
    }

    /// The states that an object went through, each once in a row.
    pub fn states(&self, name: &str) -> Vec<String> {
        let state = |object: &Value| object["status"]["state"].as_str().unwrap_or("none").to_owned();
        let mut states: Vec<String> = self.versions(name).iter().map(state).collect();
        states.dedup();
        states
    }

    /// What generic tools took it for, each once in a row.
    pub fn kstatus(&self, name: &str) -> Vec<Kstatus> {
        let mut all: Vec<Kstatus> = self.versions(name).iter().map(kstatus).collect();
        all.dedup();
        all
    }

    /// What is wrong with any version of any object.
    pub fn problems(&self) -> Vec<String> {
        let all = self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        let check = |object: &Value| check_conditions(object, Moment::InFlight);
        let mut problems: Vec<String> = all
            .iter()
            .flat_map(|object| {
                let problems = check(object).into_iter();
                problems.map(move |problem| format!("{problem}: {}", object["status"]))
            })
            .collect();
        problems.dedup();
        problems
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.task.abort();
    }
}
