//! The list of an app's Machines.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Query, State};
use http::HeaderValue;

use super::answer::{Answer, Caller, is_true, ok};
use super::machines::{lens, split};
use crate::error::ApiError;
use crate::model::machine::{Machine, MachineState};
use crate::model::machine_view::{Lens, MachineView};
use crate::world::{Key, Sim, State as World};

type Flags = Query<HashMap<String, String>>;

/// `GET /apps/{app}/machines`
pub async fn list(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path(app): Path<String>,
    Query(flags): Flags,
) -> Answer {
    let state = caller.enter(&sim);
    let limit = flags.get("limit").and_then(|limit| limit.parse::<usize>().ok());
    if limit.is_some_and(|limit| !(1..=1_000).contains(&limit)) {
        return Err(ApiError::invalid("limit must be between 1 and 1000"));
    }
    let after = flags.get("cursor").map_or("", String::as_str);
    let filter = Filter::read(&flags);
    let shown = state.app(&app)?.machines.values().filter(|machine| machine.id.as_str() > after);
    let mut shown: Vec<(&Machine, MachineState)> = shown
        .filter_map(|machine| machine.listed_state(state.now, caller.lag).map(|listed| (machine, listed)))
        .filter(|(machine, listed)| filter.wants(machine, *listed))
        .collect();
    let more = limit.is_some_and(|limit| shown.len() > limit);
    shown.truncate(limit.unwrap_or(usize::MAX));
    let next = shown.last().filter(|_| more).map(|(machine, _)| machine.id.clone());
    let mut response = if is_true(flags.get("summary")) {
        ok(&shown.iter().map(|(machine, listed)| machine.summary(*listed)).collect::<Vec<_>>())?
    } else {
        let leases = is_true(flags.get("include_leases"));
        ok(&shown
            .iter()
            .map(|(machine, listed)| row(&state, &app, machine, *listed, leases))
            .collect::<Vec<_>>())?
    };
    if let Some(next) = next.and_then(|next| HeaderValue::from_str(&next).ok()) {
        response.headers_mut().insert("fly-next-cursor", next);
    }
    Ok(response)
}

fn row<'a>(
    state: &'a World,
    app: &str,
    machine: &'a Machine,
    listed: MachineState,
    leases: bool,
) -> MachineView<'a> {
    let key = Key { app: app.to_owned(), id: machine.id.clone() };
    let lease = if leases { state.held_lease(&key) } else { None };
    machine.view(Lens { state: listed, lease, ..lens(state, &key, machine) })
}

struct Filter {
    states: Vec<String>,
    region: String,
    metadata: Vec<(String, String)>,
    deleted: bool,
}

impl Filter {
    fn read(flags: &HashMap<String, String>) -> Self {
        let list = |name: &str| flags.get(name).map(|value| split(value)).unwrap_or_default();
        let metadata = flags.iter().filter_map(|(name, value)| {
            name.strip_prefix("metadata.").map(|key| (key.to_owned(), value.clone()))
        });
        Self {
            states: list("state"),
            region: flags.get("region").cloned().unwrap_or_default(),
            metadata: metadata.collect(),
            deleted: is_true(flags.get("include_deleted")),
        }
    }

    fn wants(&self, machine: &Machine, listed: MachineState) -> bool {
        let labels = &machine.config.parts().metadata;
        (self.deleted || listed != MachineState::Destroyed)
            && (self.states.is_empty() || self.states.iter().any(|state| state == listed.as_str()))
            && (self.region.is_empty() || self.region == machine.region)
            && self.metadata.iter().all(|(key, value)| labels.get(key) == Some(value))
    }
}
