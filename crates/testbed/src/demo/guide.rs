//! What to do with a demo that runs.

use std::fmt::Write as _;
use std::path::Path;

use super::table::Row;
use super::{Demo, domain};

/// How to reach what was made, and what to try next. The file has the authorities of what the edge shows.
pub(super) fn text(demo: &Demo, rows: &[Row], trusted: &Path) -> String {
    let mut text = String::from("Everything is ready.\n\n");
    if let Some(path) = demo.cluster.kubeconfig() {
        let _ = writeln!(text, "  export KUBECONFIG={}", path.display());
    }
    if let Some(kubectl) = demo.cluster.kubectl() {
        let _ = writeln!(text, "  alias kubectl={}    # of the cluster's own version", kubectl.display());
    }
    let runtimes: Vec<&Row> =
        rows.iter().filter(|row| row.kind == "Runtime" && !row.url.is_empty()).collect();
    let domains = rows.iter().filter(|row| row.kind == "CustomDomain" && !row.url.is_empty());
    for row in runtimes.iter().copied().chain(domains) {
        text.push_str(&reach(demo, row, trusted));
    }
    for (order, page) in rows.iter().filter_map(|row| Some((row, row.checkout()?))) {
        let _ = writeln!(
            text,
            "\n{} waits to be paid. Pay in a browser, and its Runtime comes up; no money moves:\n  {page}",
            order.name
        );
    }
    if let Some((namespace, name)) = runtimes.first().and_then(|runtime| runtime.name.split_once('/')) {
        text.push_str(&next(namespace, name));
    }
    let _ = writeln!(text, "\nWhat Fly saw:\n  curl -s '{}/_sim/ledger?kind=effect'", demo.fly.api_url());
    let _ = writeln!(text, "Log of the operator:\n  {}", demo.operator.log_path().display());
    text.push_str("\nCtrl-C ends it all.\n");
    text
}

/// The edge stands in for Fly's proxy on a loopback port, so the hostname has to be pointed at it.
fn reach(demo: &Demo, row: &Row, trusted: &Path) -> String {
    let host = domain::host(row);
    let edge = demo.fly.edge();
    let (address, port) = edge.rsplit_once(':').unwrap_or((edge, "443"));
    format!(
        "\n{name} serves {url}; here through the edge at {edge}:\n  \
         curl --cacert {ca} --resolve {host}:{port}:{address} https://{host}:{port}/healthz\n  \
         chromium --user-data-dir=$(mktemp -d) --ignore-certificate-errors \\\n    \
         --host-resolver-rules='MAP {host}:443 {edge}' {url}\n",
        name = row.name,
        url = row.url,
        ca = trusted.display(),
    )
}

fn next(namespace: &str, name: &str) -> String {
    format!(
        "\nTry next:\n  \
         kubectl -n {namespace} get workspaces,runtimeorders,runtimes,customdomains,runtimetasks\n  \
         kubectl -n {namespace} describe runtime {name}\n  \
         kubectl -n {namespace} patch runtime {name} --type merge -p '{{\"spec\":{{\"powerState\":\"Stopped\"}}}}'\n  \
         kubectl -n {namespace} patch runtime {name} --type merge -p '{{\"spec\":{{\"powerState\":\"Running\"}}}}'\n  \
         kubectl -n {namespace} annotate runtime {name} moorage.dev/restarted-at=$(date +%s) --overwrite\n  \
         kubectl -n {namespace} delete runtime {name}\n"
    )
}
