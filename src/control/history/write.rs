//! Writes tasks.

use jiff::Timestamp;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, Client, ResourceExt};
use serde_json::json;

use super::draft::{Draft, End, Write};
use super::journal::Wrote;
use super::status;
use crate::api::{FIELD_MANAGER, RuntimeTask, RuntimeTaskStatus};
use crate::control::runtime::step::Finish;

/// Writes what is next of a draft.
pub async fn write(client: &Client, draft: &Draft, write: Write) -> Wrote {
    let namespace = draft.task.namespace().unwrap_or_default();
    let api: Api<RuntimeTask> = Api::namespaced(client.clone(), &namespace);
    let name = draft.task.name_any();
    let done = match write {
        Write::Resume => match api.get_opt(&name).await {
            Ok(task) => return Wrote::Read(task.map(|task| Box::new(task.status.unwrap_or_default()))),
            Err(error) => Err(error),
        },
        Write::Make => make(&api, &draft.task).await,
        Write::Status => set_status(&api, &name, &draft.status()).await,
    };
    match done {
        Ok(()) => Wrote::Done,
        Err(error) => {
            tracing::debug!(namespace, name, %error, "a task can't be written");
            if is_passing(&error) { Wrote::Again } else { Wrote::Dropped }
        }
    }
}

/// Creating what exists is as good.
async fn make(api: &Api<RuntimeTask>, task: &RuntimeTask) -> kube::Result<()> {
    let params = PostParams { field_manager: Some(FIELD_MANAGER.into()), ..PostParams::default() };
    match api.create(&params, task).await {
        Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
        made => made.map(drop),
    }
}

/// Writes a task's status.
///
/// # Errors
/// If the API server refuses or can't be asked.
pub async fn set_status(api: &Api<RuntimeTask>, name: &str, status: &RuntimeTaskStatus) -> kube::Result<()> {
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
    api.patch_status(name, &params, &Patch::Merge(json!({"status": status}))).await.map(drop)
}

/// Writes how a request ended, keeping its log and its beginning; `None` if there is no such task any more.
///
/// # Errors
/// If the API server refuses or can't be asked.
pub async fn finish(
    api: &Api<RuntimeTask>,
    now: Timestamp,
    finish: &Finish,
) -> kube::Result<Option<RuntimeTask>> {
    let Some(task) = api.get_opt(&finish.task).await? else { return Ok(None) };
    if task.metadata.uid.as_deref() != Some(&finish.uid) {
        return Ok(None);
    }
    let standing = task.status.clone().unwrap_or_default();
    if standing.finish_time.is_some() {
        return Ok(Some(task));
    }
    let end = End {
        state: finish.state,
        reason: finish.reason.to_owned(),
        message: finish.message.clone(),
        at: now,
    };
    let began = standing.start_time.or(task.creation_timestamp().map(|time| time.0));
    let mut status = status::ended(began, &end, standing.log);
    status.result.clone_from(&finish.result);
    let patch = Patch::Merge(json!({"metadata": {"uid": finish.uid}, "status": status}));
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
    match api.patch_status(&finish.task, &params, &patch).await {
        Ok(written) => Ok(Some(written)),
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Removes the task of that name, if it has that UID.
///
/// # Errors
/// If the API server refuses or can't be asked.
pub async fn remove(api: &Api<RuntimeTask>, name: &str, uid: &str) -> kube::Result<()> {
    let preconditions = Preconditions { uid: Some(uid.to_owned()), resource_version: None };
    let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
    api.delete(name, &params).await.map(drop)
}

/// Whether the same may work in a moment. What is refused for a reason is given up.
fn is_passing(error: &kube::Error) -> bool {
    match error {
        kube::Error::Api(status) => status.code == 429 || status.code >= 500,
        _ => true,
    }
}
