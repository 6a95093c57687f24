//! Asks for each step, waits for it, and tells what came of it.

use std::time::Duration;

use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use tokio::time::Instant;

use super::Place;
use super::choose::{Declared, Plan, Step};
use crate::admin::AdminError;
use crate::api::condition::{Condition, ConditionStatus, ConditionType, find};
use crate::api::state::TaskState;
use crate::api::{NameClaim, Runtime, RuntimeTask, reason};

/// Pause between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// Every step, each once the one before it has come to its end.
pub(super) async fn all(
    client: &Client,
    place: &Place,
    plan: Plan,
    patience: Duration,
    print: impl Fn(String),
) -> Result<(), AdminError> {
    let work = Work { client, place, patience };
    for step in plan.steps {
        let told = match step {
            Step::Declare(declared) => work.declare(&declared).await?,
            Step::TakeOver { claim } => work.take_over(&claim).await?,
            Step::Restart => work.ask("Restart", None).await?,
            Step::Restore { snapshot } => work.ask("Restore", snapshot).await?,
            Step::Redeploy => work.ask("Upgrade", None).await?,
        };
        print(told);
    }
    Ok(())
}

struct Work<'w> {
    client: &'w Client,
    place: &'w Place,
    patience: Duration,
}

impl Work<'_> {
    fn runtimes(&self) -> Api<Runtime> {
        Api::namespaced(self.client.clone(), &self.place.namespace)
    }

    async fn declare(&self, declared: &Declared) -> Result<String, AdminError> {
        let mut spec = json!({"slug": declared.slug, "planRef": {"name": declared.plan},
            "blueprintRef": {"name": declared.blueprint}});
        if let Some(region) = &declared.region {
            spec["regions"] = json!([region]);
        }
        let manifest = json!({"apiVersion": "moorage.dev/v1alpha1", "kind": "Runtime",
            "metadata": {"name": self.place.name, "namespace": self.place.namespace}, "spec": spec});
        let runtime: Runtime = serde_json::from_value(manifest)
            .map_err(|error| AdminError::Refused(format!("the Runtime: {error}")))?;
        let made = self.runtimes().create(&PostParams::default(), &runtime).await;
        made.map_err(AdminError::kubernetes("declare the Runtime"))?;
        let asks = |ready: &Condition| ready.reason == reason::IDENTITY_CHANGED || waits(ready);
        go_on("It is declared", &self.until("asks to take over", asks).await?)?;
        Ok("declared: it asks to take over from its earlier self".to_owned())
    }

    async fn take_over(&self, claim: &str) -> Result<String, AdminError> {
        let runtime = self.runtimes().get(&self.place.name).await;
        let runtime = runtime.map_err(AdminError::kubernetes("read the Runtime"))?;
        let confirm = json!({"spec": {"confirm": {"uid": runtime.uid(), "action": "Takeover"}}});
        let claims: Api<NameClaim> = Api::all(self.client.clone());
        let confirmed = claims.patch(claim, &PatchParams::default(), &Patch::Merge(confirm)).await;
        confirmed.map_err(AdminError::kubernetes(format!("confirm on the NameClaim {claim}")))?;
        let ready =
            self.until("is taken over", |ready| ready.reason != reason::IDENTITY_CHANGED && settled(ready));
        let ready = ready.await?;
        go_on("It is taken over", &ready)?;
        Ok(format!("taken over: {}: {}", ready.reason, ready.message))
    }

    /// Asks by a task, and waits for its end.
    async fn ask(&self, what: &str, snapshot: Option<String>) -> Result<String, AdminError> {
        let mut spec = json!({"runtimeRef": {"name": self.place.name}, "type": what});
        if let Some(id) = snapshot {
            spec["snapshotID"] = json!(id);
        }
        let prefix = format!("{}-recover-", self.place.name);
        let manifest = json!({"apiVersion": "moorage.dev/v1alpha1", "kind": "RuntimeTask",
            "metadata": {"generateName": prefix, "namespace": self.place.namespace}, "spec": spec});
        let task: RuntimeTask = serde_json::from_value(manifest)
            .map_err(|error| AdminError::Refused(format!("the task: {error}")))?;
        let tasks: Api<RuntimeTask> = Api::namespaced(self.client.clone(), &self.place.namespace);
        let task = tasks.create(&PostParams::default(), &task).await;
        let name = task.map_err(AdminError::kubernetes("ask by a RuntimeTask"))?.name_any();
        let deadline = Instant::now() + self.patience;
        loop {
            let task = tasks.get(&name).await.map_err(AdminError::kubernetes("read the task"))?;
            if let Some(end) = ended(&task) {
                return end.map(|message| format!("{what} done: {message}")).map_err(|message| {
                    AdminError::Refused(format!("{what} failed (RuntimeTask {name}): {message}"))
                });
            }
            if Instant::now() >= deadline {
                return Err(self.late(&format!("the RuntimeTask {name} isn't finished")));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Waits until `Ready` of the Runtime is like this.
    async fn until(&self, what: &str, is: impl Fn(&Condition) -> bool) -> Result<Condition, AdminError> {
        let deadline = Instant::now() + self.patience;
        loop {
            let runtime = self.runtimes().get(&self.place.name).await;
            let status =
                runtime.map_err(AdminError::kubernetes("read the Runtime"))?.status.unwrap_or_default();
            let ready = find(&status.conditions, ConditionType::Ready).filter(|ready| is(ready));
            if let Some(ready) = ready {
                return Ok(ready.clone());
            }
            if Instant::now() >= deadline {
                return Err(self.late(&format!("it isn't seen that the Runtime {what}")));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn late(&self, what: &str) -> AdminError {
        AdminError::Refused(format!(
            "after {} seconds {what}; what was asked for stands, and goes on: `kubectl describe runtime {} -n {}`",
            self.patience.as_secs(),
            self.place.name,
            self.place.namespace
        ))
    }
}

/// Whether it waits for a person.
fn waits(ready: &Condition) -> bool {
    ready.reason.starts_with("Awaiting")
}

/// What waits for a person goes no further by itself.
fn go_on(done: &str, ready: &Condition) -> Result<(), AdminError> {
    if !waits(ready) {
        return Ok(());
    }
    Err(AdminError::Refused(format!(
        "{done}, and waits for a person: {}: {} Then run this again.",
        ready.reason, ready.message
    )))
}

/// Whether it rests: well, stalled, or waiting for a person.
fn settled(ready: &Condition) -> bool {
    ready.status != ConditionStatus::Unknown
}

/// How a task ended, if it did.
fn ended(task: &RuntimeTask) -> Option<Result<String, String>> {
    let status = task.status.as_ref()?;
    let ready = find(&status.conditions, ConditionType::Ready);
    let message = ready.map(|ready| ready.message.to_string()).unwrap_or_default();
    match status.state? {
        TaskState::Completed => Some(Ok(message)),
        TaskState::Failed | TaskState::Cancelled => Some(Err(message)),
        TaskState::Pending | TaskState::Running => None,
    }
}
