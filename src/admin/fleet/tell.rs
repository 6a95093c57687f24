//! The fleet in lines for people.

use super::summary::{Fleet, Leader, Tally, Trouble};
use crate::admin::output::{Table, wrapped};

/// Most reasons that are shown of a kind of trouble.
const MOST: usize = 10;

/// The fleet in lines.
pub fn lines(fleet: &Fleet) -> Vec<String> {
    let mut lines = wrapped(0, &format!("Operator: {}", told(&fleet.operator)));
    let mut counts = Table::new(&["KIND", "ALL", "BY STATE"]);
    for (kind, tally) in [
        ("Runtimes", &fleet.runtimes),
        ("Orders", &fleet.orders),
        ("Domains", &fleet.domains),
        ("Workspaces", &fleet.workspaces),
    ] {
        counts.row([kind.to_owned(), tally.total.to_string(), states(tally)]);
    }
    let held = format!("{} deletions, {} takeovers", fleet.to_confirm.deletions, fleet.to_confirm.takeovers);
    let waiting = fleet.to_confirm.deletions + fleet.to_confirm.takeovers;
    counts.row(["To confirm".to_owned(), waiting.to_string(), held]);
    if !fleet.vanished_orders.is_empty() {
        let names = fleet.vanished_orders.join(", ");
        counts.row(["Vanished orders".to_owned(), fleet.vanished_orders.len().to_string(), names]);
    }
    if let Some(flagged) = fleet.flagged_receipts.filter(|count| *count > 0) {
        counts.row(["Flagged receipts".to_owned(), flagged.to_string(), "pay for nothing".to_owned()]);
    }
    if let Some(orphans) = &fleet.orphans {
        counts.row(["Orphans".to_owned(), orphans.len().to_string(), orphans.join(" ")]);
    }
    lines.push(String::new());
    lines.extend(counts.lines());
    troubles(&mut lines, "STALLED", &fleet.stalled);
    troubles(&mut lines, "WAITS FOR A PERSON", &fleet.waiting);
    paragraphs(&mut lines, "Not shown:", &fleet.unread);
    paragraphs(&mut lines, "Next:", &fleet.hints);
    lines
}

fn told(leader: &Leader) -> String {
    match leader {
        Leader::Acting { holder } => format!("{holder} acts"),
        Leader::Stale { holder, renewed } => {
            let when = renewed.map_or_else(|| "never".to_owned(), |at| at.strftime("%FT%TZ").to_string());
            let who = holder.as_deref().unwrap_or("nobody");
            format!("NONE ACTS: the lease was last renewed {when}, by {who}")
        }
        Leader::None => "no lease: none runs in this namespace, or one runs without an election".to_owned(),
        Leader::Unknown => "not known".to_owned(),
    }
}

fn states(tally: &Tally) -> String {
    let states = tally.by_state.iter().map(|(state, count)| format!("{state} {count}"));
    states.collect::<Vec<_>>().join(", ")
}

fn troubles(lines: &mut Vec<String>, heading: &str, all: &[Trouble]) {
    if all.is_empty() {
        return;
    }
    lines.push(String::new());
    let mut table = Table::new(&[heading, "COUNT", "KIND", "FOR INSTANCE"]);
    for one in all.iter().take(MOST) {
        let example = format!("{}: {}", one.object, one.message);
        table.row([one.reason.clone(), one.count.to_string(), one.kind.clone(), example]);
    }
    lines.extend(table.lines());
    if let Some(more) = all.len().checked_sub(MOST).filter(|more| *more > 0) {
        lines.push(format!("{more} reasons more: -o json shows all."));
    }
}

fn paragraphs(lines: &mut Vec<String>, heading: &str, all: &[String]) {
    if all.is_empty() {
        return;
    }
    lines.extend([String::new(), heading.to_owned()]);
    lines.extend(all.iter().flat_map(|text| wrapped(2, text)));
}
