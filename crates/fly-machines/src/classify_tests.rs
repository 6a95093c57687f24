//! Every refusal and error known of the API, and what it has to mean.

use super::*;
use CapacityScope::{Host, Region, VolumePlacement};
use ErrorClass::{
    AlreadyExists, Ambiguous, BadAnswer, Capacity, Conflict, Forbidden, HostUnreachable, ImageMissing,
    Invalid, LeaseHeld, NameTaken, NotFound, PolicyBlocked, Quota, Settling, Throttled, Unauthorized,
    Unavailable, VolumeMissing, WrongState,
};

fn class_of(effect: Effect, status: u16, text: &str, code: &str) -> ErrorClass {
    classify(&Refusal { effect, status, text, code, retry_after: None })
}

fn assert_rows(rows: &[(u16, &str, ErrorClass)]) {
    for (status, text, expected) in rows {
        let class = class_of(Effect::Write, *status, text, "");
        assert_eq!(class, *expected, "{status} {text}");
    }
}

#[test]
fn refusals_of_machines_that_have_not_settled() {
    assert_rows(&[
        (412, "failed_precondition: unable to start machine from current state: 'created'", Settling),
        (412, "failed_precondition: unable to start machine from current state: 'replacing'", Settling),
        (412, "failed_precondition: unable to start machine from current state: 'stopping'", Settling),
        (412, "failed_precondition: machine getting replaced, refusing to start", Settling),
        (412, "failed_precondition: machine still active, refusing to start", Settling),
        (412, "failed_precondition: machine still attempting to start", Settling),
        (412, "failed_precondition: volume is currently bound to machine: 3d8d9014b32d89", Settling),
        (412, "failed_precondition: volume already claimed by machine \0\0\0", Settling),
        (412, "failed_precondition: snapshot is already scheduled at 2026-01-01", Settling),
        (400, "machine is currently replaced", Settling),
    ]);
}

#[test]
fn refusals_that_waiting_does_not_help() {
    assert_rows(&[
        (412, "failed_precondition: unable to start machine from current state: 'destroyed'", WrongState),
        (
            412,
            "failed_precondition: unable to destroy machine, not currently stopped, suspended, failed or created",
            WrongState,
        ),
        (409, "unable to destroy machine, not currently stopped, suspended, failed or created", WrongState),
        (412, "failed_precondition: machine not running", WrongState),
        (412, "failed_precondition: something else", WrongState),
        (400, "invalid_argument: invalid WaitMachineRequest.Timeout: value must be inside range", Invalid),
        (400, "invalid ip address type", Invalid),
        (400, "network not found", Invalid),
        (422, "Validation failed: Name under 63 chars using numbers, lowercase letters and dashes", Invalid),
        (422, "Validation failed: Private key does not match certificate", Invalid),
        (422, "Validation failed: Certificate has expired", Invalid),
        (422, "Validation failed: Hostname not found in certificate SAN or CN", Invalid),
        (422, "Validation failed: Hostname is invalid", Invalid),
    ]);
}

#[test]
fn conflicts_and_leases() {
    assert_rows(&[
        (409, "machine is replacing: concurrent update in progress", Conflict),
        (409, "aborted: machine update failed due to concurrent update", Conflict),
        (412, "failed_precondition: current_version is not the latest", Conflict),
        (412, "failed_precondition: machine_version no longer current", Conflict),
        (412, "min_secrets_version 4 is not there yet", Conflict),
        (409, "anything else", Conflict),
        (
            409,
            "machine ID 3d8d lease currently held by a@b.c, expires at 2022-10-20 19:59:06 +0000 UTC",
            LeaseHeld,
        ),
        (409, "machine is leased: nonce of the lease required", LeaseHeld),
        (404, "lease not found", NotFound),
    ]);
}

#[test]
fn room() {
    assert_rows(&[
        (422, "could not find a candidate host", Capacity(Region)),
        (
            412,
            "insufficient resources to create new machine with existing volume 'vol_4y5g'",
            Capacity(VolumePlacement),
        ),
        (
            409,
            "aborted: could not reserve resource for machine: insufficient memory available to fulfill request",
            Capacity(Host),
        ),
        (409, "insufficient CPUs available to fulfill request", Capacity(Host)),
        (409, "insufficient IPs available", Capacity(Host)),
        (412, "insufficient resources available to fulfill request", Capacity(Host)),
        (412, "insufficient resources in fra", Capacity(Region)),
        (409, "no capacity", Capacity(Region)),
        (400, "no capacity", Capacity(Region)),
    ]);
    assert_eq!(class_of(Effect::Write, 422, "words of tomorrow", "insufficient_capacity"), Capacity(Region));
    assert_eq!(
        class_of(Effect::Write, 412, "words of tomorrow", "volume_placement_capacity"),
        Capacity(VolumePlacement)
    );
    assert_eq!(class_of(Effect::Write, 422, "words of tomorrow", "unknown"), Invalid);
}

#[test]
fn limits_and_policy() {
    assert_rows(&[
        (
            403,
            "organization \"X\" is using 4096 MB of memory in dfw which is over the allowed quota. please consider other regions",
            Quota,
        ),
        (422, "Your organization has reached its machine limit. Please contact billing@fly.io", Quota),
        (422, "To create more than 1 machine per app please add a payment method", Quota),
        (412, "governor policy blocked start", PolicyBlocked),
        (429, "rate limit exceeded", Throttled { retry_after: None }),
        (403, "unauthorized", Forbidden),
        (401, "Authenticate: token validation error", Unauthorized),
    ]);
}

#[test]
fn names_and_things_that_are_there_or_not() {
    assert_rows(&[
        (422, "Validation failed: Name has already been taken", NameTaken),
        (422, "violates a uniqueness constraint", NameTaken),
        (
            409,
            "already_exists: unique machine name violation, machine ID 3d8d9014b32d89 already exists with name \"m\"",
            NameTaken,
        ),
        (422, "Hostname already exists on app", AlreadyExists),
        (422, "Validation failed: Hostname has already been taken", NameTaken),
        (404, "not_found: certificate not found", NotFound),
        (409, "shared_v4 already allocated", AlreadyExists),
        (409, "already_exists: something", AlreadyExists),
        (404, "Could not find App", NotFound),
        (404, "not_found: machine not found", NotFound),
        (400, "volume not found", VolumeMissing),
        (400, "volume vol_abc not found", VolumeMissing),
        (400, "failed to get manifest: MANIFEST_UNKNOWN: manifest unknown", ImageMissing),
    ]);
    assert_eq!(class_of(Effect::Write, 422, "words of tomorrow", "name_taken"), NameTaken);
}

#[test]
fn answers_that_leave_a_change_open() {
    assert_rows(&[
        (503, "unavailable: deploys to this host are temporarily disabled", HostUnreachable),
        (503, "unavailable: no answer", HostUnreachable),
        (503, "upstream connect error", Ambiguous),
        (502, "", Ambiguous),
        (500, "internal", Ambiguous),
        (408, "deadline_exceeded: machine failed to reach desired state", Ambiguous),
        (302, "", BadAnswer),
    ]);
    for status in [408, 500, 502, 503, 504] {
        assert_eq!(class_of(Effect::Read, status, "", ""), Unavailable);
        assert_eq!(outcome(Effect::Write, status, Ambiguous), Outcome::Unknown);
        assert_eq!(outcome(Effect::Read, status, Unavailable), Outcome::Refused);
    }
    assert_eq!(outcome(Effect::Write, 412, Settling), Outcome::Refused);
}

#[test]
fn retry_after_is_kept() {
    let retry_after = Some(Duration::from_secs(7));
    let refusal = Refusal { effect: Effect::Read, status: 429, text: "", code: "", retry_after };
    assert_eq!(classify(&refusal), Throttled { retry_after });
}
