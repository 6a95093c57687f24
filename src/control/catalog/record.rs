//! The one place that writes the status of what is on offer, and only when it changed.

use std::fmt::Debug;

use kube::{Api, Resource};
use serde::de::DeserializeOwned;

use super::decide::Offer;
use crate::control::context::Context;
use crate::control::status_writer;

/// Writes the status, unless it stands so already.
///
/// # Errors
/// If the API server refuses or can't be asked.
pub async fn record<K>(ctx: &Context, object: &K, status: &K::Status) -> kube::Result<()>
where
    K: Offer + Resource<DynamicType = (), Scope = kube::core::ClusterResourceScope>,
    K: Clone + Debug + DeserializeOwned,
{
    if object.standing() == Some(status) {
        return Ok(());
    }
    status_writer::patch(&Api::all(ctx.kube.clone()), object, status).await.map(drop)
}
