//! What is worth a look though nothing may be stuck.

use super::{Entry, entry, r};

/// What is worth a look though its object may be at rest.
pub const MORE: &[Entry] = &[
    entry(
        r::PAST_DUE,
        "`kubectl describe mord NAME -n NS`: how it is paid, and until when; `moorage billing lookup -n NS`",
        "The customer pays what is due, or corrects the card; or `moorage billing resolve NS/NAME`; it runs on meanwhile",
    ),
    entry(
        r::RECORD_GONE,
        "`kubectl get mdom NAME -n NS -o yaml`: `status.records` and `status.graceEndTime`; `dig` at the domain's servers",
        "The customer sets the record again before then; after it the hostname is taken out of service",
    ),
    entry(
        r::ORDERS_USED_UP,
        "`customDomains.acme.limits`, and how many certificates were ordered this week",
        "It is ordered by itself once there is room; raise a budget if the authority allows more",
    ),
    entry(
        r::UNHEALTHY,
        "`moorage recover NS/NAME`: what the Runtime itself says",
        "What that says; an order that is paid goes on once its Runtime serves",
    ),
    entry(
        r::DEGRADED,
        "`fly checks list -a APP`, `fly logs -a APP`",
        "Correct what the check complains of; `moorage recover NS/NAME --way restart` restarts it",
    ),
    entry(
        r::UPDATE_FAILED,
        "`moorage deployments -n NS`: why the upgrade failed; it was taken back",
        "Correct the Blueprint; `moorage recover NS/NAME --way redeploy` tries again",
    ),
    entry(
        r::SNAPSHOT_FAILED,
        "`moorage deployments -n NS`; `fly volumes snapshots list VOLUME`",
        "Ask again: without it nothing is upgraded, and no volume of a deleted Runtime removed",
    ),
    entry(
        r::ROLLOUT_PAUSED,
        "`kubectl describe mblue NAME`: which Runtime's upgrade failed",
        "Correct the Blueprint: an edit begins the rollout anew",
    ),
    entry(
        r::ROLLOUT_WAITING,
        "`moorage status`: which Runtimes are unavailable",
        "Mend those; the rollout goes on by itself",
    ),
];
