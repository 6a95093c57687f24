//! What to do about each reason that something is stuck by. `docs/runbook.md` is made from this table, and a test holds
//! it to the list of reasons.

use super::reason as r;

mod more;

pub use more::MORE;

/// One reason with what a person does about it.
#[derive(Debug)]
pub struct Entry {
    /// The reason.
    pub reason: &'static str,
    /// What to look at first.
    pub look: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

const fn entry(reason: &'static str, look: &'static str, remedy: &'static str) -> Entry {
    Entry { reason, look, remedy }
}

/// Groups of reasons that each need an entry.
pub const GROUPS: [&str; 3] =
    ["Waiting for a person", "The spec can't be done as it stands", "Something outside failed"];

/// Every entry, in the order of the reasons.
pub const ENTRIES: &[Entry] = &[
    entry(
        r::AWAITING_ORDER,
        "`moorage billing lookup -n NS`: which order funds it, and until when",
        "Place a RuntimeOrder with `runtimeRef`, or have the one that stands paid",
    ),
    entry(
        r::AWAITING_DNS,
        "`kubectl get mdom NAME -n NS -o yaml`: `status.records`, and what was found; of a Runtime the message of `HostnameReady`",
        "Whoever keeps the domain's DNS sets the records; a RuntimeTask of type VerifyDomain looks at once",
    ),
    entry(
        r::AWAITING_RUNTIME,
        "`kubectl get mrt -n NS`",
        "Create the Runtime, or name another in `spec.runtimeRef`",
    ),
    entry(
        r::AWAITING_PAYMENT,
        "`kubectl describe mord NAME -n NS`: how it is paid",
        "The customer pays; or `moorage billing resolve NS/NAME` for money that came another way",
    ),
    entry(r::AWAITING_WORKSPACE, "`kubectl get mws -n NS`", "Create the Workspace, or add a member to it"),
    entry(
        r::AWAITING_RESUME,
        "`kubectl get mpol`: which WorkspacePolicy has `suspended: true` for the namespace",
        "Set `suspended: false` there, or take the label off the Namespace",
    ),
    entry(
        r::AWAITING_UNPAUSE,
        "who set the annotation: `kubectl get KIND NAME -n NS -o yaml --show-managed-fields`",
        "`kubectl annotate KIND NAME -n NS moorage.dev/paused-`",
    ),
    entry(
        r::AWAITING_WRITE_MODE,
        "`mode` in the operator's configuration",
        "Set `mode: ReadWrite` once it is meant to act",
    ),
    entry(
        r::AWAITING_CONFIRM,
        "`moorage confirm deletions`: which deletions are held",
        "`moorage confirm deletions --all` if they were meant; else [operations](operations.md#too-many-deletions-at-once)",
    ),
    entry(
        r::AWAITING_DEPENDENTS,
        "`kubectl get mrt,mord -n NS`: what still stands",
        "Wait; what is itself stuck there is the cause",
    ),
    entry(r::PLAN_NOT_FOUND, "`kubectl get mplan`", "Correct `spec.planRef`, or create the Plan"),
    entry(
        r::PLAN_NOT_SET,
        "`kubectl get mws -n NS -o yaml`: `defaultPlanRef`",
        "Set `spec.planRef`, or the Workspace's default",
    ),
    entry(
        r::BLUEPRINT_NOT_FOUND,
        "`kubectl get mblue`",
        "Correct `spec.blueprintRef`, or create the Blueprint",
    ),
    entry(
        r::WORKSPACE_NOT_FOUND,
        "`kubectl get mws -n NS`",
        "Create the Workspace, or leave `workspaceRef` out",
    ),
    entry(
        r::REGION_NOT_SET,
        "`defaultRegion` of the Workspace; `defaults.regions` in the configuration",
        "Set `spec.regions`, or the Workspace's default",
    ),
    entry(
        r::PLAN_NOT_ALLOWED,
        "`kubectl get mpol -o yaml`: `allowedPlans`",
        "Choose an allowed Plan, or allow it",
    ),
    entry(
        r::BLUEPRINT_NOT_ALLOWED,
        "`kubectl get mpol -o yaml`: `allowedBlueprints`",
        "Choose an allowed Blueprint, or allow it",
    ),
    entry(
        r::REGION_NOT_ALLOWED,
        "`kubectl get mpol -o yaml`: `allowedRegions`",
        "Choose an allowed region, or allow it",
    ),
    entry(
        r::DELETION_POLICY_NOT_ALLOWED,
        "`kubectl get mpol -o yaml`: `allowedDeletionPolicies`",
        "Choose an allowed one, or allow it",
    ),
    entry(
        r::RUNTIME_LIMIT_REACHED,
        "`kubectl get nameclaims --field-selector spec.holder.namespace=NS`",
        "Delete a Runtime, or raise `maxRuntimes` in a WorkspacePolicy",
    ),
    entry(r::PLAN_TOO_SMALL, "`minimumMemoryMB` of the Blueprint", "Choose a larger Plan"),
    entry(r::SUSPEND_TOO_LARGE, "the memory of its Plan", "Set `sleep.mode: Stop`"),
    entry(
        r::PLAN_NOT_PAID,
        "`moorage billing lookup -n NS`",
        "A subscription at Stripe is changed by itself; at PayApp a dearer Plan is paid at the order's page (`moorage billing pay-link`). Else delete the order that funds it, and place one for that Plan with `runtimeRef`, which takes over once it is paid; or set the earlier Plan. It runs on meanwhile",
    ),
    entry(
        r::PROVIDER_NOT_CONFIGURED,
        "`billing` in the operator's configuration: `moorage billing lookup -n NS` shows it",
        "Configure the provider, or place an order with another",
    ),
    entry(
        r::CHECKOUT_EXPIRED,
        "`moorage billing lookup -n NS`: whether money came after all",
        "Place another order; or `moorage billing resolve NS/NAME` for money that came another way",
    ),
    entry(
        r::PAYMENT_FAILED,
        "the provider's dashboard: why it declined",
        "The customer places another order",
    ),
    entry(
        r::CHECKOUT_UNKNOWN,
        "`moorage billing pay-link NS/NAME`: the attempt's mark; look for it at the provider",
        "Paid there: `moorage billing resolve` with the payment's id there as the reference, and of a registration its number as --registration. Not there: place another order",
    ),
    entry(
        r::PROVIDER_UNAUTHORIZED,
        "`billing` in the operator's configuration: which key file",
        "Put a valid key into that Secret; it is read again by itself",
    ),
    entry(
        r::PROVIDER_REFUSED,
        "the message: what the provider said",
        "Correct what it names, such as the currency; or place an order with another provider",
    ),
    entry(
        r::PAYMENT_NOT_FOUND,
        "`billing` in the operator's configuration: of which account and mode the key is",
        "Put back the key of the account in which the order was paid; nothing that is paid changes until then",
    ),
    entry(
        r::TOO_MANY_ORDERS,
        "`kubectl get mord -n NS`: which aren't paid",
        "Pay or delete one of them, or raise `maxOpenOrders` in a WorkspacePolicy",
    ),
    entry(
        r::PLAN_NEEDS_NO_ORDER,
        "`kubectl get mplan NAME -o yaml`",
        "Delete the order, and declare the Runtime without one",
    ),
    entry(
        r::RUNTIME_FUNDED,
        "`moorage billing lookup -n NS`: by which order",
        "Delete the order, and refund what it was paid. One for another Plan takes over once it is paid, if the one that funds it is deleted instead",
    ),
    entry(
        r::PLAN_DIFFERS,
        "`spec.planRef` of the Runtime and of the order",
        "Set the Runtime's to the order's; or delete the order, and place another with `runtimeRef`. What was paid runs on until that one is",
    ),
    entry(
        r::AMOUNT_MISMATCH,
        "`moorage billing lookup -n NS`: which receipt",
        "Refund it; the order is still to be paid",
    ),
    entry(
        r::SNAPSHOT_NOT_FOUND,
        "`fly volumes snapshots list VOLUME`",
        "Ask again with a snapshot that is listed, or without one for the newest",
    ),
    entry(r::SECRET_NOT_FOUND, "`kubectl get secret -n NS`", "Create it, or correct `spec.env`"),
    entry(
        r::SECRET_KEY_NOT_FOUND,
        "`kubectl describe secret NAME -n NS`: its keys",
        "Add the key, or correct `spec.env`",
    ),
    entry(
        r::SECRET_NOT_LABELLED,
        "`kubectl get secret NAME -n NS --show-labels`",
        "`kubectl label secret NAME -n NS moorage.dev/use=runtime-env`",
    ),
    entry(
        r::SECRET_VALUE_INVALID,
        "the message: which Secret, and what is wrong with it",
        "Correct the value; a token Secret that isn't ours is deleted",
    ),
    entry(
        r::SECRET_LITERAL,
        "`spec.env`: the variable that the message names",
        "Put the value into a Secret, and refer to it",
    ),
    entry(
        r::HOSTNAME_INVALID,
        "the message: what is wrong with the name",
        "Create a CustomDomain with another hostname: it can't be changed",
    ),
    entry(
        r::HOSTNAME_NOT_ALLOWED,
        "`baseDomain.name` and `customDomains.refusedZones` in the configuration",
        "Use a hostname of the customer's own domain",
    ),
    entry(
        r::DOMAIN_LIMIT_REACHED,
        "`kubectl get mdom -n NS`; `customDomains.perNamespace` in the configuration",
        "Delete one that isn't needed, or raise the limit",
    ),
    entry(
        r::ACME_NOT_CONFIGURED,
        "`customDomains.acme` and `baseDomain.dns` in the configuration",
        "Configure the authority, or choose another `certificate.source` or `challenge`",
    ),
    entry(
        r::CAA_FORBIDS,
        "`dig CAA HOSTNAME`, and of each name above it",
        "Let the certificate authority issue there, or remove the record",
    ),
    entry(
        r::CERTIFICATE_INVALID,
        "the message; `openssl x509 -noout -text` of the Secret's `tls.crt`",
        "Put a certificate into the Secret that is for the hostname, with its key and chain",
    ),
    entry(
        r::CERTIFICATE_EXPIRED,
        "what should have renewed it: the conditions, the operator's log for ACME, or whoever keeps its Secret",
        "Have it renewed; the base domain's reaches every app by itself, and one of a hostname that has expired is taken out of service",
    ),
    entry(r::HOSTNAME_TOO_LONG, "`spec.slug` and the base domain", "Declare it anew with a shorter slug"),
    entry(
        r::NAME_TAKEN,
        "`kubectl get nameclaim label.SLUG -o yaml`: who holds it",
        "Choose another slug or subdomain",
    ),
    entry(
        r::IDENTITY_CHANGED,
        "`moorage confirm takeovers`: who waits",
        "`moorage confirm takeovers NAME -n NS` if it is the restored one; or `moorage recover NS/NAME`",
    ),
    entry(
        r::APP_NAME_TAKEN,
        "`fly apps list`: whose the app is",
        "Rename or remove that app, or declare the Runtime with another slug; [adoption](adoption.md) takes one over",
    ),
    entry(
        r::VOLUME_LOST,
        "`fly volumes list -a APP`, `fly volumes snapshots list VOLUME`",
        "`moorage recover NS/NAME`: the newest snapshot is restored",
    ),
    entry(r::NAMESPACE_TAKEN, "`kubectl get mws -n NS`", "Keep one Workspace in the namespace"),
    entry(
        r::MEMBER_NOT_ALLOWED,
        "`spec.members` of the Workspace: the one that the message names",
        "Remove or correct it",
    ),
    entry(r::INVALID, "the message: which field", "Correct the field"),
    entry(
        r::NOT_REQUESTABLE,
        "`kubectl get mtask NAME -n NS -o yaml`",
        "Create another task: Restart, Snapshot, Restore or Upgrade, without `operationID`",
    ),
    entry(
        r::NOT_POSSIBLE,
        "`moorage deployments -n NS`: what the task says",
        "Do what it says, and ask again by another task",
    ),
    entry(
        r::RUNTIME_NOT_FOUND,
        "`kubectl get mrt -n NS`",
        "Declare the Runtime, or correct the name in a new order or task",
    ),
    entry(
        r::DOMAIN_NOT_FOUND,
        "`kubectl get mdom -n NS`",
        "Ask again by a RuntimeTask that names a CustomDomain which is there",
    ),
    entry(r::TOO_MANY_REQUESTS, "`kubectl get mtask -n NS`: those that are open", "Wait, or delete some"),
    entry(
        r::SUPERSEDED,
        "`moorage deployments -n NS`: what took its place",
        "Ask again by another task if it is still meant",
    ),
    entry(
        r::CAPACITY,
        "`fly platform regions`, and Fly's status page",
        "Wait, it is tried again; or a new Runtime in another region",
    ),
    entry(
        r::QUOTA_EXCEEDED,
        "the Fly organisation's limits",
        "Ask Fly to raise them; what runs isn't touched",
    ),
    entry(
        r::IMAGE_NOT_FOUND,
        "`image` of the Blueprint",
        "Correct it, or give the organisation access to the registry",
    ),
    entry(
        r::DRIFTED,
        "who changes the Machine by hand: `fly machine status ID -a APP`",
        "Have them stop; it is put back",
    ),
    entry(
        r::UNKNOWN_MACHINE,
        "`fly machines list -a APP`",
        "Remove it if nobody needs it: `fly machine destroy`",
    ),
    entry(
        r::UNKNOWN_VOLUME,
        "`fly volumes list -a APP`",
        "Remove it if nobody needs it: `fly volumes destroy`",
    ),
    entry(r::UNKNOWN_ADDRESS, "`fly ips list -a APP`", "Release it if nobody needs it: `fly ips release`"),
    entry(
        r::HOST_UNREACHABLE,
        "Fly's status page; `fly machine status ID -a APP`",
        "Wait, no byte is lost; or `moorage recover NS/NAME --way restore`, which loses what was written since the snapshot",
    ),
    entry(
        r::CRASH_LOOP,
        "`fly logs -a APP`: what the gateway said last",
        "Correct what it complains of; `moorage recover NS/NAME` starts it again",
    ),
    entry(
        r::OUT_OF_MEMORY,
        "`fly logs -a APP`, and the Plan's memory",
        "A larger Plan; `moorage recover NS/NAME` starts it again",
    ),
    entry(
        r::CONFIGURATION_REFUSED,
        "`fly logs -a APP`: which key; what was changed last",
        "Correct it; or `moorage recover NS/NAME --way restore` for a snapshot from before",
    ),
    entry(
        r::HEALTH_CHECK_FAILING,
        "`fly checks list -a APP`, `fly logs -a APP`",
        "`moorage recover NS/NAME`: it is restarted",
    ),
    entry(
        r::FLY_UNAUTHORIZED,
        "the file `fly.tokenFile`; `fly tokens list`",
        "Put a valid token of the organisation into the Secret; it is read again by itself",
    ),
    entry(
        r::FLY_THROTTLED,
        "the metric `moorage_fly_throttled_total`",
        "Wait; lower `fly.requestsPerSecond` if others share the token",
    ),
    entry(r::FLY_UNAVAILABLE, "Fly's status page", "Wait; it is tried again"),
    entry(
        r::FLY_REFUSED,
        "the message: what Fly said",
        "Correct what it names; if nothing is wrong there, report it with the operator's log",
    ),
    entry(
        r::KUBERNETES_REFUSED,
        "the message; `kubectl get resourcequota -n NS`",
        "Raise or remove the quota, or whatever else refuses the write",
    ),
    entry(
        r::PROVIDER_UNAVAILABLE,
        "the provider's status page",
        "Wait; it is tried again, and what is paid stays so meanwhile",
    ),
    entry(
        r::KUBERNETES_UNAVAILABLE,
        "`kubectl get --raw /readyz`; admission webhooks",
        "Bring the API server or the webhook back; it is tried again",
    ),
    entry(
        r::DNS_UNAVAILABLE,
        "the DNS server that `baseDomain.dns` names",
        "Bring it back; it is tried again",
    ),
    entry(r::DNS_REFUSED, "the key and the zone in `baseDomain.dns`", "Correct the key or its rights"),
    entry(
        r::RECORD_MISSING,
        "`status.records` of the CustomDomain; `dig +trace HOSTNAME`",
        "Set the record that is named",
    ),
    entry(
        r::RECORD_WRONG,
        "`status.records` of the CustomDomain: what was found",
        "Set the record that is named, and remove what was found, unless it is a TXT: others may stand beside it",
    ),
    entry(
        r::SERVERS_DISAGREE,
        "`dig @SERVER HOSTNAME` at each of the domain's name servers",
        "Wait until the change is at all of them, or correct the one that stays behind",
    ),
    entry(
        r::NAME_SERVER_REFUSED,
        "the addresses of the domain's name servers; `customDomains.dns.allowedNetworks`",
        "Serve the domain from the public Internet, or allow the network in the configuration",
    ),
    entry(
        r::HOSTNAME_TAKEN,
        "the record at the DNS provider, or `kubectl get mclaim host.HOSTNAME -o yaml`: whose it is",
        "Remove the record, or use another slug; a hostname goes to whoever can show it by the TXT record",
    ),
    entry(
        r::CERTIFICATE_MISSING,
        "`baseDomain.certificate` and its Secret",
        "Provide the wildcard certificate, or let it be ordered",
    ),
    entry(
        r::BASE_DOMAIN_REMOVED,
        "the operator's configuration, and the zone: beside each record stands a text `_moorage.{hostname}`",
        "Configure `baseDomain` again, or remove those records at the DNS provider",
    ),
    entry(
        r::CERTIFICATE_REFUSED,
        "the operator's log: what the authority said",
        "Correct CAA records or the account; mind its rate limits",
    ),
    entry(r::CERTIFICATE_AUTHORITY_UNAVAILABLE, "the authority's status page", "Wait; it is tried again"),
    entry(
        r::DEADLINE_EXCEEDED,
        "`moorage deployments -n NS`: at which step it stands; `fly logs -a APP`",
        "`moorage recover NS/NAME`, which also ends and starts a Machine that Fly has left between two states; where that doesn't help, `fly machine destroy --force ID -a APP`: it is made anew on its volume; slow retries go on meanwhile",
    ),
    entry(
        r::INTERNAL_ERROR,
        "the operator's log around that time",
        "Report it with the log; other objects aren't touched",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// What can be stuck can be looked up. A new reason needs an entry above.
    #[test]
    fn every_reason_that_holds_something_up_has_an_entry_in_the_same_order() {
        let held: Vec<&str> =
            r::ALL.iter().filter(|reason| GROUPS.contains(&reason.group)).map(|reason| reason.word).collect();
        let told: Vec<&str> = ENTRIES.iter().map(|entry| entry.reason).collect();
        assert_eq!(told, held);
    }

    #[test]
    fn every_command_names_a_subcommand_that_there_is() {
        for entry in ENTRIES.iter().chain(MORE) {
            for text in [entry.look, entry.remedy] {
                for part in text.split("`moorage ").skip(1) {
                    let command = part.split([' ', '`']).next().unwrap_or_default();
                    let known = ["status", "deployments", "recover", "confirm", "billing", "orphans"];
                    assert!(known.contains(&command), "{}: {text}", entry.reason);
                }
            }
        }
    }
}
