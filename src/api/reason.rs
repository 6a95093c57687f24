//! Reasons: one CamelCase word for why a condition is as it is. They are part of the API: programs match on them.

/// One reason with what it means.
#[derive(Debug)]
pub struct Reason {
    /// When it is used.
    pub group: &'static str,
    /// The word.
    pub word: &'static str,
    /// What it means.
    pub meaning: &'static str,
}

macro_rules! reasons {
    ($($group:literal { $($(#[doc = $doc:literal])+ $name:ident = $word:literal;)* })*) => {
        $($($(#[doc = $doc])+ pub const $name: &str = $word;)*)*
        /// Every reason, for the documentation and for the test that holds them to one spelling.
        pub const ALL: &[Reason] =
            &[$($(Reason { group: $group, word: $word, meaning: concat!($($doc),+).trim_ascii() }),*),*];
    };
}

reasons! {
    "While an object isn't at rest" {
        /// The Runtime's app, volume or Machine is being made.
        PROVISIONING = "Provisioning";
        /// The Machine boots, or its gateway doesn't answer yet.
        STARTING = "Starting";
        /// A request woke the gateway; it doesn't answer yet.
        WAKING = "Waking";
        /// The Machine is being stopped.
        STOPPING = "Stopping";
        /// Everything is being taken down.
        DESTROYING = "Destroying";
        /// The Workspace's names are being claimed and its members bound.
        PENDING = "Pending";
        /// A record of the hostname is missing or wrong.
        PENDING_DNS = "PendingDNS";
        /// The hostname's certificate is being issued.
        PENDING_CERT = "PendingCert";
    }
    "At rest" {
        /// The gateway serves.
        RUNNING = "Running";
        /// It sleeps until the next request.
        SLEEPING = "Sleeping";
        /// Something that it configures works only while it is awake, and it may sleep.
        CHANNELS_NEED_AWAKE = "ChannelsNeedAwake";
        /// Stopped, as asked.
        STOPPED = "Stopped";
        /// The Workspace is usable.
        ACTIVE = "Active";
        /// The object is usable.
        VALID = "Valid";
        /// The task ended well.
        COMPLETED = "Completed";
        /// The task goes on.
        IN_PROGRESS = "InProgress";
        /// All is made.
        PROVISIONED = "Provisioned";
        /// What runs is what is declared.
        APPLIED = "Applied";
        /// What is declared isn't what runs yet.
        UPDATING = "Updating";
        /// Plan and policy allow it.
        ALLOWED = "Allowed";
        /// The name is its own.
        CLAIMED = "Claimed";
        /// The members hold their roles.
        BOUND = "Bound";
        /// Not known yet.
        NOT_CHECKED = "NotChecked";
        /// A record shows whose the hostname is.
        VERIFIED = "Verified";
        /// The hostname's records are as they should be.
        CONFIGURED = "Configured";
        /// A certificate for the hostname is in service.
        ISSUED = "Issued";
        /// The record that shows whose the hostname is has gone; it serves on for a while.
        RECORD_GONE = "RecordGone";
        /// The certificate authority doesn't take another order for this hostname, its domain or the platform yet.
        ORDERS_USED_UP = "OrdersUsedUp";
        /// The hostname leads to it, with a certificate.
        HOSTNAME_IN_SERVICE = "HostnameInService";
        /// The hostname is being set up.
        HOSTNAME_PENDING = "HostnamePending";
        /// The gateway takes browsers at its hostname from its next restart on.
        RESTART_NEEDED = "RestartNeeded";
        /// It answers, but a check of it fails.
        DEGRADED = "Degraded";
        /// It should run and doesn't.
        UNHEALTHY = "Unhealthy";
        /// The Blueprint was edited since it was pinned.
        BLUEPRINT_CHANGED = "BlueprintChanged";
        /// The update was tried, failed, and was taken back.
        UPDATE_FAILED = "UpdateFailed";
        /// Every Runtime runs the Blueprint as it is now.
        UP_TO_DATE = "UpToDate";
        /// Runtimes run an older Blueprint until each is asked to be upgraded.
        MANUAL_ROLLOUT = "ManualRollout";
        /// Runtimes are being upgraded, a few at a time.
        ROLLING_OUT = "RollingOut";
        /// As many Runtimes as may be are unavailable; no more are upgraded until that changes.
        ROLLOUT_WAITING = "RolloutWaiting";
        /// An upgrade failed; no more Runtimes are upgraded until a person acts.
        ROLLOUT_PAUSED = "RolloutPaused";
        /// Apps at Fly carry our mark and no claim names them; an event of the operator's lease.
        ORPHAN_APPS = "OrphanApps";
        /// A snapshot isn't made, before an upgrade or of a deleted Runtime.
        SNAPSHOT_FAILED = "SnapshotFailed";
        /// It is paid.
        PAID = "Paid";
        /// It isn't paid yet.
        UNPAID = "Unpaid";
        /// It can be paid.
        CHECKOUT_OPEN = "CheckoutOpen";
        /// There is nothing to pay now.
        CHECKOUT_CLOSED = "CheckoutClosed";
        /// It was called off before it was paid.
        CANCELLED = "Cancelled";
        /// The next interval isn't paid; the Runtime runs on for a while.
        PAST_DUE = "PastDue";
        /// It isn't paid: the Runtime is stopped, its data kept.
        SUSPENDED = "Suspended";
        /// The money went back.
        REFUNDED = "Refunded";
        /// It is over.
        ENDED = "Ended";
        /// The Runtime that it funds serves.
        FULFILLED = "Fulfilled";
        /// The image's tag stands for another image than when it was pinned.
        IMAGE_MOVED = "ImageMoved";
        /// The operator brings another start script or base configuration than the Machine was given.
        SEED_CHANGED = "SeedChanged";
    }
    "Waiting for a person" {
        /// The Plan needs an order that isn't there.
        AWAITING_ORDER = "AwaitingOrder";
        /// A record has to be set in DNS.
        AWAITING_DNS = "AwaitingDNS";
        /// The Runtime that it names has to be there.
        AWAITING_RUNTIME = "AwaitingRuntime";
        /// It has to be paid.
        AWAITING_PAYMENT = "AwaitingPayment";
        /// There is no Workspace that it could be for, or it has no member.
        AWAITING_WORKSPACE = "AwaitingWorkspace";
        /// A WorkspacePolicy suspends the namespace.
        AWAITING_RESUME = "AwaitingResume";
        /// The annotation `moorage.dev/paused` holds it.
        AWAITING_UNPAUSE = "AwaitingUnpause";
        /// The operator runs in read-only mode.
        AWAITING_WRITE_MODE = "AwaitingWriteMode";
        /// Too many Runtimes are deleted at once: the platform has to confirm.
        AWAITING_CONFIRM = "AwaitingConfirm";
        /// Objects that depend on this one have to go first.
        AWAITING_DEPENDENTS = "AwaitingDependents";
    }
    "The spec can't be done as it stands" {
        /// The Plan doesn't exist.
        PLAN_NOT_FOUND = "PlanNotFound";
        /// No Plan is named, and the Workspace has no default.
        PLAN_NOT_SET = "PlanNotSet";
        /// The Blueprint doesn't exist.
        BLUEPRINT_NOT_FOUND = "BlueprintNotFound";
        /// The Workspace doesn't exist.
        WORKSPACE_NOT_FOUND = "WorkspaceNotFound";
        /// No region is named, and the Workspace has no default.
        REGION_NOT_SET = "RegionNotSet";
        /// No policy allows the Plan.
        PLAN_NOT_ALLOWED = "PlanNotAllowed";
        /// The policy doesn't allow the Blueprint.
        BLUEPRINT_NOT_ALLOWED = "BlueprintNotAllowed";
        /// The policy doesn't allow a region.
        REGION_NOT_ALLOWED = "RegionNotAllowed";
        /// The policy doesn't allow the deletion policy.
        DELETION_POLICY_NOT_ALLOWED = "DeletionPolicyNotAllowed";
        /// The namespace holds as many slugs as it may.
        RUNTIME_LIMIT_REACHED = "RuntimeLimitReached";
        /// The Plan has less memory than the Blueprint needs.
        PLAN_TOO_SMALL = "PlanTooSmall";
        /// A Runtime with more than 2048 MB can't be suspended.
        SUSPEND_TOO_LARGE = "SuspendTooLarge";
        /// The Plan has to be paid for, and no order funds it; the earlier size runs on.
        PLAN_NOT_PAID = "PlanNotPaid";
        /// The operator isn't set up to take payments by this provider.
        PROVIDER_NOT_CONFIGURED = "ProviderNotConfigured";
        /// No checkout was paid in time, and no other is opened.
        CHECKOUT_EXPIRED = "CheckoutExpired";
        /// The customer was done, and the money didn't come.
        PAYMENT_FAILED = "PaymentFailed";
        /// A checkout was asked for, and nobody knows whether there is one: it is never asked for again.
        CHECKOUT_UNKNOWN = "CheckoutUnknown";
        /// The payment provider doesn't take the key.
        PROVIDER_UNAUTHORIZED = "ProviderUnauthorized";
        /// The payment provider refuses what is asked for.
        PROVIDER_REFUSED = "ProviderRefused";
        /// The payment provider doesn't know what is recorded of the order: the key may be another account's. What is
        /// recorded stands.
        PAYMENT_NOT_FOUND = "PaymentNotFound";
        /// The namespace has as many orders that aren't paid as it may.
        TOO_MANY_ORDERS = "TooManyOrders";
        /// The Plan needs no order.
        PLAN_NEEDS_NO_ORDER = "PlanNeedsNoOrder";
        /// Another order funds the Runtime.
        RUNTIME_FUNDED = "RuntimeFunded";
        /// The Runtime is of another Plan than the order.
        PLAN_DIFFERS = "PlanDiffers";
        /// A payment of another amount or currency than the order's.
        AMOUNT_MISMATCH = "AmountMismatch";
        /// There is no such snapshot of this Runtime.
        SNAPSHOT_NOT_FOUND = "SnapshotNotFound";
        /// A Secret that the environment refers to doesn't exist.
        SECRET_NOT_FOUND = "SecretNotFound";
        /// A Secret lacks the key.
        SECRET_KEY_NOT_FOUND = "SecretKeyNotFound";
        /// A Secret isn't labelled for this use.
        SECRET_NOT_LABELLED = "SecretNotLabelled";
        /// A value in a Secret can't be used.
        SECRET_VALUE_INVALID = "SecretValueInvalid";
        /// A variable that the Blueprint marks secret has a literal value.
        SECRET_LITERAL = "SecretLiteral";
        /// The hostname isn't one that can be used.
        HOSTNAME_INVALID = "HostnameInvalid";
        /// The hostname lies in a domain that customers can't bring here.
        HOSTNAME_NOT_ALLOWED = "HostnameNotAllowed";
        /// The namespace has as many CustomDomains as it may.
        DOMAIN_LIMIT_REACHED = "DomainLimitReached";
        /// The platform isn't set up to order certificates by ACME, or not by this challenge.
        ACME_NOT_CONFIGURED = "ACMENotConfigured";
        /// A CAA record forbids the certificate authority to issue for the hostname.
        CAA_FORBIDS = "CAAForbids";
        /// The certificate in the Secret can't be used.
        CERTIFICATE_INVALID = "CertificateInvalid";
        /// The certificate, the base domain's or a hostname's own, has expired: browsers refuse it.
        CERTIFICATE_EXPIRED = "CertificateExpired";
        /// The hostname would be longer than DNS allows.
        HOSTNAME_TOO_LONG = "HostnameTooLong";
        /// Another object holds the name.
        NAME_TAKEN = "NameTaken";
        /// The name is held by an earlier object of the same name; the platform has to confirm.
        IDENTITY_CHANGED = "IdentityChanged";
        /// An app of that name exists at Fly and isn't ours.
        APP_NAME_TAKEN = "AppNameTaken";
        /// The volume is gone.
        VOLUME_LOST = "VolumeLost";
        /// The namespace already has a Workspace.
        NAMESPACE_TAKEN = "NamespaceTaken";
        /// A member may not be bound.
        MEMBER_NOT_ALLOWED = "MemberNotAllowed";
        /// The object doesn't have the declared shape.
        INVALID = "Invalid";
        /// The task can't be carried out: it says that it is a record, or isn't offered.
        NOT_REQUESTABLE = "NotRequestable";
        /// The request can't be carried out as the Runtime stands.
        NOT_POSSIBLE = "NotPossible";
        /// The Runtime that the request names doesn't exist.
        RUNTIME_NOT_FOUND = "RuntimeNotFound";
        /// The CustomDomain that the request names doesn't exist.
        DOMAIN_NOT_FOUND = "DomainNotFound";
        /// Too many requests of the Runtime are open already.
        TOO_MANY_REQUESTS = "TooManyRequests";
        /// The operator restarted and doesn't know the task any more; or its Runtime has gone.
        SUPERSEDED = "Superseded";
    }
    "Something outside failed" {
        /// Fly has no room in any of the regions.
        CAPACITY = "Capacity";
        /// The Fly organisation's quota is used up.
        QUOTA_EXCEEDED = "QuotaExceeded";
        /// Fly can't pull the image.
        IMAGE_NOT_FOUND = "ImageNotFound";
        /// Somebody else changed the Machine at Fly; it is put back. One that is changed again and again is put back
        /// once an hour.
        DRIFTED = "Drifted";
        /// A Machine stands in the app that Moorage didn't make; it may take visitors' requests, and the app of a
        /// deleted Runtime waits for it to go.
        UNKNOWN_MACHINE = "UnknownMachine";
        /// A volume stands in the app that Moorage didn't make; the app of a deleted Runtime waits for it to go.
        UNKNOWN_VOLUME = "UnknownVolume";
        /// The app has an address that Moorage didn't give it.
        UNKNOWN_ADDRESS = "UnknownAddress";
        /// The Machine's host can't be reached.
        HOST_UNREACHABLE = "HostUnreachable";
        /// The gateway ends again and again.
        CRASH_LOOP = "CrashLoop";
        /// The gateway ran out of memory.
        OUT_OF_MEMORY = "OutOfMemory";
        /// The gateway refuses its configuration.
        CONFIGURATION_REFUSED = "ConfigurationRefused";
        /// Its health check fails.
        HEALTH_CHECK_FAILING = "HealthCheckFailing";
        /// Fly refuses our token.
        FLY_UNAUTHORIZED = "FlyUnauthorized";
        /// Fly asks us to slow down.
        FLY_THROTTLED = "FlyThrottled";
        /// Fly doesn't answer, or answers with an error of its own.
        FLY_UNAVAILABLE = "FlyUnavailable";
        /// Fly refuses a request.
        FLY_REFUSED = "FlyRefused";
        /// The API server refuses a write, for instance because of a quota in the namespace.
        KUBERNETES_REFUSED = "KubernetesRefused";
        /// The payment provider doesn't answer, or answers with an error of its own.
        PROVIDER_UNAVAILABLE = "ProviderUnavailable";
        /// The API server can't be reached.
        KUBERNETES_UNAVAILABLE = "KubernetesUnavailable";
        /// The DNS server or provider doesn't answer, or answers with an error of its own.
        DNS_UNAVAILABLE = "DNSUnavailable";
        /// The DNS server or provider refuses our key or a change.
        DNS_REFUSED = "DNSRefused";
        /// A record isn't there.
        RECORD_MISSING = "RecordMissing";
        /// Another record stands in its place.
        RECORD_WRONG = "RecordWrong";
        /// The authoritative servers don't say the same.
        SERVERS_DISAGREE = "ServersDisagree";
        /// A name server has an address that isn't asked.
        NAME_SERVER_REFUSED = "NameServerRefused";
        /// A record of that name exists and isn't ours; or the hostname is another customer's.
        HOSTNAME_TAKEN = "HostnameTaken";
        /// There is no wildcard certificate that could be imported.
        CERTIFICATE_MISSING = "CertificateMissing";
        /// There was a base domain, and its records still stand.
        BASE_DOMAIN_REMOVED = "BaseDomainRemoved";
        /// The certificate authority refuses an order.
        CERTIFICATE_REFUSED = "CertificateRefused";
        /// The certificate authority doesn't answer, or answers with an error of its own.
        CERTIFICATE_AUTHORITY_UNAVAILABLE = "CertificateAuthorityUnavailable";
        /// It takes longer than it may.
        DEADLINE_EXCEEDED = "DeadlineExceeded";
        /// A fault in Moorage itself.
        INTERNAL_ERROR = "InternalError";
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::ALL;

    #[test]
    fn every_reason_is_one_camel_case_word_and_stands_once() {
        for reason in ALL {
            let word = reason.word;
            assert!(word.starts_with(|first: char| first.is_ascii_uppercase()), "{word}");
            assert!(word.chars().all(|c| c.is_ascii_alphanumeric()), "{word}");
            assert!(word.len() <= 64, "{word} is longer than the schema allows");
        }
        let words: BTreeSet<_> = ALL.iter().map(|reason| reason.word).collect();
        assert_eq!(words.len(), ALL.len());
    }

    #[test]
    fn every_reason_says_what_it_means_in_a_sentence() {
        for reason in ALL {
            assert!(reason.meaning.len() > 5 && reason.meaning.ends_with('.'), "{}", reason.word);
        }
    }
}
