//! Whether the process may do what the table of rights says that it needs.

use futures::stream::{self, StreamExt, TryStreamExt};
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::api::PostParams;
use kube::{Api, Client};

use super::{Check, Fault};
use crate::engine::config::Config;
use crate::engine::config::base_domain::DnsProvider;
use crate::rights::operator::{DNS_ENDPOINT_RIGHTS, RIGHTS};

/// Questions that are asked at once.
const AT_ONCE: usize = 8;
/// Missing rights that are named; the remedy is the same for all.
const NAMED: usize = 6;

/// Asks the API server about every right of the table.
pub(super) async fn check(client: &Client, config: &Config) -> Result<(), Fault> {
    let besides = if by_external_dns(config) { DNS_ENDPOINT_RIGHTS } else { &[] };
    let needed = RIGHTS.iter().chain(besides);
    let questions: Vec<_> = needed.flat_map(|right| right.access_reviews(&config.namespace)).collect();
    let missing: Vec<String> = stream::iter(questions)
        .map(|question| ask(client, question))
        .buffered(AT_ONCE)
        .try_filter_map(|missing| async { Ok(missing) })
        .try_collect()
        .await
        .map_err(|error| {
            let remedy = "check the API server's address and this process's credentials";
            Fault::new(Check::Rights, format!("the API server can't be asked: {error}"), remedy)
        })?;
    if missing.is_empty() { Ok(()) } else { Err(fault(&missing)) }
}

fn by_external_dns(config: &Config) -> bool {
    config.base_domain.as_ref().is_some_and(|base| matches!(base.dns, DnsProvider::DnsEndpoint(_)))
}

/// The right in words if it isn't held.
async fn ask(client: &Client, question: ResourceAttributes) -> Result<Option<String>, kube::Error> {
    let words = words(&question);
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec { resource_attributes: Some(question), ..Default::default() },
        ..SelfSubjectAccessReview::default()
    };
    let answer = Api::all(client.clone()).create(&PostParams::default(), &review).await?;
    let allowed = answer.status.is_some_and(|status| status.allowed);
    Ok((!allowed).then_some(words))
}

fn words(question: &ResourceAttributes) -> String {
    let part = |text: &Option<String>| text.clone().unwrap_or_default();
    let mut words = format!("{} {}", part(&question.verb), part(&question.resource));
    for (mark, text) in [
        ("/", &question.subresource),
        (".", &question.group),
        (" ", &question.name),
        (" in namespace ", &question.namespace),
    ] {
        if let Some(text) = text {
            words.push_str(mark);
            words.push_str(text);
        }
    }
    words
}

fn fault(missing: &[String]) -> Fault {
    let mut cause = format!("may not {}", missing[..missing.len().min(NAMED)].join(", "));
    if let Some(more @ 1..) = missing.len().checked_sub(NAMED) {
        cause = format!("{cause} and {more} more");
    }
    let remedy = "install the rights of this version (`moorage manifests | kubectl apply -f -`, or upgrade the chart), \
                  and run under the ServiceAccount that they name";
    Fault::new(Check::Rights, cause, remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_right_is_named_as_kubectl_would() {
        let question = ResourceAttributes {
            verb: Some("patch".into()),
            resource: Some("runtimes".into()),
            subresource: Some("status".into()),
            group: Some("moorage.dev".into()),
            namespace: Some("acme".into()),
            ..ResourceAttributes::default()
        };
        assert_eq!(words(&question), "patch runtimes/status.moorage.dev in namespace acme");
    }

    #[test]
    fn a_long_list_is_cut() {
        let missing: Vec<String> = (0..NAMED + 2).map(|n| format!("get thing{n}")).collect();
        let cause = fault(&missing).cause;
        assert!(cause.ends_with("and 2 more") && !cause.contains("thing6"), "{cause}");
        assert!(!fault(&missing[..NAMED]).cause.contains("more"));
    }
}
