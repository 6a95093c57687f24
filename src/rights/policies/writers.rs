//! The writers of each kind.

use super::policy::Operation::{Create, Delete, Update};
use super::policy::{Operation, Policy, Rule};
use crate::api::GROUP;

const EVERY: &[Operation] = &[Create, Update, Delete];

/// Every policy.
pub(super) const POLICIES: &[Policy] =
    &[NAME_CLAIMS, PAYMENT_RECEIPTS, CATALOG, NAMESPACE_LABELS, TASKS, DEFINITIONS];

/// Labels, owners and finalizers as they were. Annotations may change: an apply keeps its notes there.
const SAME_METADATA: (&str, &str) = (
    "sameMetadata",
    "request.operation != 'UPDATE' || \
     (object.metadata.?labels == oldObject.metadata.?labels && \
     object.metadata.?ownerReferences == oldObject.metadata.?ownerReferences && \
     object.metadata.?finalizers == oldObject.metadata.?finalizers)",
);

/// Being on the platform's list lets the policies pass. What moves money or gives away what is somebody's also takes a
/// verb of its own, so that not everybody on the list may.
const MAY_CONFIRM: &str = "authorizer.group('moorage.dev').resource('nameclaims').check('confirm').allowed()";
const MAY_RESOLVE: &str =
    "authorizer.group('moorage.dev').resource('paymentreceipts').check('resolve').allowed()";

const NAME_CLAIMS: Policy = Policy {
    name: "moorage-nameclaims",
    group: GROUP,
    resources: &[(&["nameclaims", "nameclaims/*"], EVERY)],
    variables: &[
        SAME_METADATA,
        (
            "onlyConfirm",
            "request.operation != 'UPDATE' || \
             (dyn(object.spec).all(field, field == 'confirm' || \
             (field in dyn(oldObject.spec) && dyn(object.spec)[field] == dyn(oldObject.spec)[field])) && \
             dyn(oldObject.spec).all(field, field == 'confirm' || field in dyn(object.spec)))",
        ),
        (
            "sameConfirm",
            "request.operation != 'UPDATE' || dyn(object.spec).?confirm == dyn(oldObject.spec).?confirm",
        ),
        (
            "saysPaid",
            "request.operation == 'CREATE' && (has(object.spec.confirm) || (has(object.spec.order) && \
             (has(object.spec.order.funds) || has(object.spec.order.paidUntil) || \
             object.spec.order.?phase.orValue('Unpaid') != 'Unpaid')))",
        ),
        ("mayConfirm", MAY_CONFIRM),
    ],
    rules: &[
        Rule {
            holds: "variables.isOperator || variables.isPlatform",
            message: "NameClaims are written by the operator alone, since names, money and what stands at Fly are \
                      read from them; to release a name, delete the Workspace or Runtime that holds it; to confirm \
                      a takeover, act as one of the users or groups in the chart's `platform` values",
        },
        Rule {
            holds: "request.operation != 'DELETE' || variables.isOperator",
            message: "a NameClaim is removed by the operator alone, once nothing is left under its name; delete \
                      the Workspace or Runtime that holds it",
        },
        Rule {
            holds: "variables.isOperator || (variables.onlyConfirm && variables.sameMetadata)",
            message: "the platform may change `spec.confirm` of a NameClaim and nothing else; the operator keeps \
                      the rest in step with Fly",
        },
        Rule {
            holds: "variables.isOperator || variables.sameConfirm || variables.mayConfirm",
            message: "to change `spec.confirm` takes the verb `confirm` on nameclaims, which the ClusterRole \
                      `moorage-platform` has; have it bound to you",
        },
        Rule {
            holds: "variables.isOperator || !variables.saysPaid || variables.mayConfirm",
            message: "to create a NameClaim that confirms something, or by which an order is paid or funds a \
                      Runtime, takes the verb `confirm` on nameclaims, which the ClusterRole `moorage-platform` \
                      has; have it bound to whoever restores",
        },
    ],
};

const PAYMENT_RECEIPTS: Policy = Policy {
    name: "moorage-paymentreceipts",
    group: GROUP,
    resources: &[(&["paymentreceipts", "paymentreceipts/*"], EVERY)],
    variables: &[
        SAME_METADATA,
        ("isManual", "request.operation == 'CREATE' && object.spec.provider == 'Manual'"),
        ("mayResolve", MAY_RESOLVE),
    ],
    rules: &[
        Rule {
            holds: "request.operation != 'DELETE'",
            message: "a PaymentReceipt is never removed; to take money back, create another of type Refund",
        },
        Rule {
            holds: "request.operation != 'UPDATE' || \
                    (variables.isPlatform && dyn(object.spec) == dyn(oldObject.spec) && variables.sameMetadata)",
            message: "a PaymentReceipt is never changed; a correction is another receipt",
        },
        Rule {
            holds: "request.operation != 'CREATE' || !variables.isManual || variables.isPlatform",
            message: "a PaymentReceipt with provider Manual is created by the platform alone: by one of the users \
                      or groups in the chart's `platform` values",
        },
        Rule {
            holds: "!variables.isManual || variables.mayResolve",
            message: "to create a PaymentReceipt with provider Manual takes the verb `resolve` on paymentreceipts, \
                      which the ClusterRole `moorage-platform` has; have it bound to you",
        },
        Rule {
            holds: "request.operation != 'CREATE' || variables.isManual || variables.isOperator",
            message: "a PaymentReceipt of a payment provider is created by the operator alone, once it has checked \
                      the payment; the platform approves by hand with provider Manual",
        },
    ],
};

const CATALOG: Policy = Policy {
    name: "moorage-catalog",
    group: GROUP,
    resources: &[
        (&["plans", "blueprints", "workspacepolicies"], EVERY),
        (&["plans/*", "blueprints/*", "workspacepolicies/*"], EVERY),
    ],
    variables: &[("isSubresource", "has(request.subResource) && request.subResource != ''")],
    rules: &[
        Rule {
            holds: "variables.isSubresource || variables.isPlatform",
            message: "Plans, Blueprints and WorkspacePolicies are written by the platform alone: by one of the \
                      users or groups in the chart's `platform` values",
        },
        Rule {
            holds: "!variables.isSubresource || variables.isOperator",
            message: "the status of Plans, Blueprints and WorkspacePolicies is written by the operator alone; \
                      change the spec instead",
        },
    ],
};

/// A namespace can be labelled through its subresources too.
const NAMESPACE_LABELS: Policy = Policy {
    name: "moorage-namespace-labels",
    group: "",
    resources: &[(&["namespaces", "namespaces/*"], &[Create, Update])],
    variables: &[
        ("before", "request.operation == 'CREATE' ? dyn({}) : dyn(oldObject.metadata.?labels.orValue({}))"),
        ("after", "dyn(object.metadata.?labels.orValue({}))"),
    ],
    rules: &[Rule {
        holds: "variables.isPlatform || \
                (variables.after.all(key, !key.startsWith('policy.moorage.dev/') || \
                (key in variables.before && variables.before[key] == variables.after[key])) && \
                variables.before.all(key, !key.startsWith('policy.moorage.dev/') || key in variables.after))",
        message: "labels under `policy.moorage.dev/` choose the WorkspacePolicy of a namespace, and are set, changed \
                  and removed by the platform alone: by one of the users or groups in the chart's `platform` values; \
                  leave them as they are",
    }],
};

/// A task without `operationID` is a request, which anybody with the right may make; records and how a task stands are
/// the operator's. Removing them is left to RBAC, and to the garbage collector and the namespace controller.
const TASKS: Policy = Policy {
    name: "moorage-runtimetasks",
    group: GROUP,
    resources: &[(&["runtimetasks"], &[Create]), (&["runtimetasks/*"], &[Update])],
    variables: &[],
    rules: &[Rule {
        holds: "variables.isOperator || (request.operation == 'CREATE' && !has(object.spec.operationID))",
        message: "a RuntimeTask with an `operationID` is a record, and the status of every task is written by the \
                  operator alone; to ask for something, create a RuntimeTask without `operationID`; to stop or start \
                  a Runtime, set its `spec.powerState`",
    }],
};

/// Removing a definition removes every object of its kind, and asks no other policy.
const DEFINITIONS: Policy = Policy {
    name: "moorage-definitions",
    group: "apiextensions.k8s.io",
    resources: &[(&["customresourcedefinitions"], &[Delete])],
    variables: &[],
    rules: &[Rule {
        holds: "oldObject.spec.group != 'moorage.dev' || variables.isPlatform",
        message: "removing a CustomResourceDefinition of moorage.dev removes every object of its kind, claims and \
                  receipts among them; the platform alone may: one of the users or groups in the chart's `platform` \
                  values",
    }],
};
