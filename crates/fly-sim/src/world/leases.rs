//! Who alone may change a Machine.

use http::StatusCode;
use serde_json::{Value, json};

use super::state::{Key, State};
use crate::clock::Millis;
use crate::error::{ApiError, ApiResult, ErrorBody};
use crate::model::lease::Lease;

/// How long a lease lasts when the request doesn't say.
const DEFAULT_TTL: i64 = 30;

impl State {
    /// Refuses a change without the nonce of a held lease.
    pub fn check_lease(&self, key: &Key, nonce: Option<&str>) -> ApiResult<()> {
        match self.held_lease(key) {
            Some(lease) if nonce != Some(lease.nonce.as_str()) => Err(held(key, lease)),
            _ => Ok(()),
        }
    }

    /// The lease that is held now.
    pub fn held_lease(&self, key: &Key) -> Option<&Lease> {
        let lease = self.machine(key)?.lease.as_ref()?;
        lease.holds(self.now).then_some(lease)
    }

    /// Takes, or with its nonce renews, a lease of so many seconds.
    pub fn acquire_lease(
        &mut self,
        key: &Key,
        owner: &str,
        ttl: Option<i64>,
        description: String,
        nonce: Option<&str>,
    ) -> ApiResult<Lease> {
        self.check_lease(key, nonce)?;
        let seconds = ttl.filter(|ttl| *ttl != 0).unwrap_or(DEFAULT_TTL);
        if seconds < 0 {
            return Err(ApiError::invalid("lease ttl must be positive"));
        }
        let expires_at: Millis = self.now.saturating_add(seconds.saturating_mul(1_000));
        let fresh = self.ids.hex(12);
        let kept = self.held_lease(key).map(|lease| lease.nonce.clone());
        let machine = self.machine_mut(key).ok_or_else(ApiError::no_machine)?;
        let lease = Lease {
            nonce: kept.unwrap_or(fresh),
            expires_at,
            owner: owner.to_owned(),
            description,
            version: machine.instance_id.clone(),
        };
        machine.lease = Some(lease.clone());
        self.effect("lease.acquire", &key.app, &key.id, json!({ "ttl": seconds }));
        Ok(lease)
    }

    /// Gives a lease back; 400 without its nonce.
    pub fn release_lease(&mut self, key: &Key, nonce: Option<&str>) -> ApiResult<()> {
        let Some(lease) = self.held_lease(key) else {
            return Err(no_lease());
        };
        if nonce != Some(lease.nonce.as_str()) {
            return Err(failure(StatusCode::BAD_REQUEST, "lease nonce is missing or does not match"));
        }
        if let Some(machine) = self.machine_mut(key) {
            machine.lease = None;
        }
        self.effect("lease.release", &key.app, &key.id, Value::Null);
        Ok(())
    }
}

/// The answer when there is no lease.
pub fn no_lease() -> ApiError {
    failure(StatusCode::NOT_FOUND, "lease not found")
}

fn held(key: &Key, lease: &Lease) -> ApiError {
    let until = jiff::Timestamp::from_millisecond(lease.expires_at)
        .map(|at| at.strftime("%Y-%m-%d %H:%M:%S +0000 UTC").to_string())
        .unwrap_or_default();
    let text = format!("machine ID {} lease currently held by {}, expires at {until}", key.id, lease.owner);
    failure(StatusCode::CONFLICT, &text)
}

fn failure(status: StatusCode, message: &str) -> ApiError {
    let body = json!({ "status": "error", "message": message, "code": "invalid" });
    ApiError { status, body: ErrorBody::Json(body) }
}
