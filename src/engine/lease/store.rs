//! The lease as an object of the API server.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};

use super::{LeaseStore, Record, StoreError};
use crate::api::FIELD_MANAGER;

/// A Lease by its namespace and name. The client must not retry by itself and must have short time limits, or a
/// renewal could be written after the lease was lost.
#[derive(Clone, Debug)]
pub struct KubeLease {
    api: Api<Lease>,
    name: String,
}

impl KubeLease {
    /// The lease `name` in `namespace`.
    pub fn new(client: Client, namespace: &str, name: &str) -> Self {
        Self { api: Api::namespaced(client, namespace), name: name.into() }
    }
}

impl LeaseStore for KubeLease {
    async fn read(&self) -> Result<Option<Record>, StoreError> {
        Ok(self.api.get_opt(&self.name).await.map_err(|error| failed(&error))?.map(record))
    }

    async fn write(&self, record: &Record) -> Result<Record, StoreError> {
        let params = PostParams { field_manager: Some(FIELD_MANAGER.into()), ..PostParams::default() };
        let lease = object(&self.name, record);
        let written = match &record.version {
            None => self.api.create(&params, &lease).await.map_err(|error| refused("AlreadyExists", &error)),
            // One that was removed may be in the making by another.
            Some(_) => self.api.replace(&self.name, &params, &lease).await.map_err(|error| match error {
                kube::Error::Api(status) if status.is_not_found() => StoreError::Conflict,
                error => refused("Conflict", &error),
            }),
        };
        written.map(self::record)
    }
}

fn refused(lost_race: &str, error: &kube::Error) -> StoreError {
    match error {
        kube::Error::Api(status) if status.reason == lost_race => StoreError::Conflict,
        error => failed(error),
    }
}

fn failed(error: &kube::Error) -> StoreError {
    StoreError::Failed(error.to_string())
}

fn record(lease: Lease) -> Record {
    let spec = lease.spec.unwrap_or_default();
    let seconds = u64::try_from(spec.lease_duration_seconds.unwrap_or_default()).unwrap_or_default();
    Record {
        holder: spec.holder_identity.filter(|holder| !holder.is_empty()),
        duration: Duration::from_secs(seconds),
        acquired: spec.acquire_time.map(|time| time.0),
        renewed: spec.renew_time.map(|time| time.0),
        transitions: spec.lease_transitions.unwrap_or_default(),
        version: lease.metadata.resource_version,
    }
}

fn object(name: &str, record: &Record) -> Lease {
    let seconds = i32::try_from(record.duration.as_secs()).unwrap_or(i32::MAX).max(1);
    Lease {
        metadata: ObjectMeta {
            name: Some(name.into()),
            resource_version: record.version.clone(),
            ..ObjectMeta::default()
        },
        spec: Some(LeaseSpec {
            holder_identity: record.holder.clone(),
            lease_duration_seconds: Some(seconds),
            acquire_time: record.acquired.map(MicroTime),
            renew_time: record.renewed.map(MicroTime),
            lease_transitions: Some(record.transitions),
            ..LeaseSpec::default()
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_survives_the_way_through_the_object() {
        let written = Record {
            holder: Some("me".into()),
            duration: Duration::from_secs(15),
            acquired: Some("2026-01-02T03:04:05.678901Z".parse().unwrap()),
            renewed: Some("2026-01-02T03:04:07.000001Z".parse().unwrap()),
            transitions: 3,
            version: Some("77".into()),
        };
        assert_eq!(record(object("moorage", &written)), written);
    }

    #[test]
    fn an_empty_holder_is_nobody() {
        let lease = Lease {
            spec: Some(LeaseSpec { holder_identity: Some(String::new()), ..Default::default() }),
            ..Default::default()
        };
        assert_eq!(record(lease).holder, None);
    }
}
