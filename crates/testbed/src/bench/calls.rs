//! Requests that the API server and Fly have answered, by their own counters.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use http::Request;
use kube::Client;
use serde::Serialize;
use serde_json::Value;

use crate::fly_sim::FlySim;

/// Requests to the API server so far, by `verb resource/subresource`.
#[derive(Debug, Clone, Default)]
pub(super) struct ApiCalls {
    by_kind: BTreeMap<String, u64>,
    /// Those of `ServiceAccounts` outside `kube-system`, which is the operator alone.
    operator: u64,
}

/// Requests to the API server in a span.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ApiSpan {
    /// Writes, the leases' left out.
    pub(super) writes: u64,
    /// Gets and lists.
    pub(super) reads: u64,
    /// Writes of leases, the API server's own among them.
    pub(super) lease_writes: u64,
    /// All requests of the operator as its flow schema counts them, for comparison.
    pub(super) operator_requests: u64,
    /// Each kind of request.
    pub(super) by_kind: BTreeMap<String, u64>,
}

impl ApiCalls {
    /// Reads the API server's metrics.
    pub(super) async fn read(client: &Client) -> Result<Self> {
        let request = Request::get("/metrics").body(Vec::new())?;
        let text = client.request_text(request).await.context("read the API server's metrics")?;
        Ok(Self::parse(&text))
    }

    fn parse(text: &str) -> Self {
        let mut calls = Self::default();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("apiserver_request_total{") {
                let Some((labels, count)) = labelled(rest) else { continue };
                *calls.by_kind.entry(kind(&labels)).or_default() += count;
            } else if let Some(rest) = line.strip_prefix("apiserver_flowcontrol_dispatched_requests_total{")
                && let Some((labels, count)) = labelled(rest)
                && labels.get("flow_schema") == Some(&"service-accounts")
            {
                calls.operator += count;
            }
        }
        calls
    }

    /// What was answered since `earlier`, without `own`, which the bench asked for itself.
    pub(super) fn since(&self, earlier: &Self, own: &[(&str, usize)]) -> ApiSpan {
        let mut span = ApiSpan { operator_requests: self.operator - earlier.operator, ..ApiSpan::default() };
        for (kind, count) in &self.by_kind {
            let ours = own.iter().find(|(own, _)| own == kind).map_or(0, |(_, count)| *count as u64);
            let count = (count - earlier.by_kind.get(kind).copied().unwrap_or_default()).saturating_sub(ours);
            let (verb, resource) = kind.split_once(' ').unwrap_or((kind, ""));
            // Reviews of rights and tokens, and documents such as /openapi, are no objects.
            if count == 0 || resource.is_empty() || resource.starts_with('/') || resource.ends_with("reviews")
            {
                continue;
            }
            match verb {
                "GET" | "LIST" => span.reads += count,
                "WATCH" | "CONNECT" => continue,
                _ if resource == "leases" => span.lease_writes += count,
                _ => span.writes += count,
            }
            span.by_kind.insert(kind.clone(), count);
        }
        span
    }
}

/// `a="b",c="d"} 5` as labels and count.
fn labelled(text: &str) -> Option<(BTreeMap<&str, &str>, u64)> {
    let (labels, count) = text.rsplit_once("} ")?;
    let labels = labels
        .split("\",")
        .filter_map(|pair| pair.split_once("=\""))
        .map(|(key, value)| (key, value.trim_end_matches('"')))
        .collect();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a counter")]
    Some((labels, count.parse::<f64>().ok()? as u64))
}

fn kind(labels: &BTreeMap<&str, &str>) -> String {
    let label = |key: &str| labels.get(key).copied().unwrap_or_default();
    let slash = if label("subresource").is_empty() { "" } else { "/" };
    format!("{} {}{slash}{}", label("verb"), label("resource"), label("subresource"))
}

/// Requests that the simulator answered after entry `since` of its ledger, by method and route.
pub(super) async fn fly_requests(fly: &FlySim, since: u64) -> Result<BTreeMap<String, u64>> {
    let ledger = fly.read(&format!("ledger?kind=request&since={since}")).await?;
    let entries = ledger["entries"].as_array().context("a ledger without entries")?;
    let mut by_route = BTreeMap::new();
    for entry in entries {
        let text = |key: &str| entry["call"][key].as_str().unwrap_or_default().to_owned();
        *by_route.entry(format!("{} {}", text("method"), text("route"))).or_default() += 1;
    }
    Ok(by_route)
}

/// The number of the ledger's newest entry.
pub(super) async fn ledger_head(fly: &FlySim) -> Result<u64> {
    let ledger = fly.read("ledger?limit=0").await?;
    ledger.get("head").and_then(Value::as_u64).context("a ledger without a head")
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = r#"
apiserver_request_total{code="201",group="moorage.dev",resource="runtimes",subresource="",verb="POST"} 3
"#;
    const AFTER: &str = r#"
# HELP apiserver_request_total [STABLE] Counter
apiserver_request_total{code="201",group="moorage.dev",resource="runtimes",subresource="",verb="POST"} 13
apiserver_request_total{code="200",group="moorage.dev",resource="runtimes",subresource="status",verb="PATCH"} 20
apiserver_request_total{code="409",group="moorage.dev",resource="runtimes",subresource="status",verb="PATCH"} 1
apiserver_request_total{code="200",group="",resource="secrets",subresource="",verb="GET"} 2
apiserver_request_total{code="200",group="coordination.k8s.io",resource="leases",subresource="",verb="PUT"} 4
apiserver_request_total{code="0",group="",resource="namespaces",subresource="",verb="WATCH"} 5
apiserver_flowcontrol_dispatched_requests_total{flow_schema="service-accounts",priority_level="workload-low"} 27
"#;

    #[test]
    fn what_the_bench_asked_itself_does_not_count() {
        let span = ApiCalls::parse(AFTER).since(&ApiCalls::parse(BEFORE), &[("POST runtimes", 10)]);
        assert_eq!((span.writes, span.reads, span.lease_writes, span.operator_requests), (21, 2, 4, 27));
        assert_eq!(span.by_kind["PATCH runtimes/status"], 21);
    }
}
