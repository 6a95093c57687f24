//! What an organisation's lists show.

use serde_json::{Value, json};

use super::state::State;
use crate::clock::{Millis, rfc3339};
use crate::model::app::App;
use crate::model::machine::{Machine, MachineState};

/// Which Machines of an organisation are wanted.
#[derive(Clone, Debug, Default)]
pub struct OrgFilter {
    /// Only in these regions; any when empty.
    pub regions: Vec<String>,
    /// Only in these states; any when empty.
    pub states: Vec<String>,
    /// Whether destroyed ones are shown.
    pub deleted: Deleted,
}

/// Whether destroyed Machines are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Deleted {
    /// They aren't.
    #[default]
    Hidden,
    /// They are.
    Shown,
}

impl OrgFilter {
    fn wants(&self, region: &str, state: &str) -> bool {
        let any = |list: &[String], item: &str| list.is_empty() || list.iter().any(|wanted| wanted == item);
        let visible = self.deleted == Deleted::Shown || state != MachineState::Destroyed.as_str();
        visible && any(&self.regions, region) && any(&self.states, state)
    }
}

/// An entry of an organisation's list: when it changed, its id, and what is shown.
pub type OrgEntry = (Millis, String, Value);

impl State {
    /// Machines that changed after a point, the longest ago first, one more than asked for if there are more.
    pub fn org_machines(
        &self,
        org: &str,
        after: &(Millis, String),
        filter: &OrgFilter,
        limit: usize,
        lag: Millis,
    ) -> Vec<OrgEntry> {
        let Some(known) = self.orgs.iter().find(|known| known.slug == org) else { return Vec::new() };
        let start = (after.0, after.1.clone(), String::new());
        let live = known.recent.range(start..).filter(|(at, id, _)| (*at, id) > (after.0, &after.1));
        let mut entries: Vec<OrgEntry> = live
            .filter_map(|(at, id, app)| {
                let app = self.apps.get(app)?;
                let machine = app.machines.get(id)?;
                let state = machine.listed_state(self.now, lag)?;
                filter
                    .wants(&machine.region, state.as_str())
                    .then(|| (*at, id.clone(), overview(app, machine, state)))
            })
            .take(limit + 1)
            .collect();
        if filter.deleted == Deleted::Shown {
            self.add_tombstones(org, after, filter, &mut entries);
            entries.truncate(limit + 1);
        }
        entries
    }

    fn add_tombstones(
        &self,
        org: &str,
        after: &(Millis, String),
        filter: &OrgFilter,
        entries: &mut Vec<OrgEntry>,
    ) {
        let gone = self.tombstones.iter().filter(|stone| stone.org == org);
        for stone in gone.filter(|stone| (stone.updated_at, &stone.id) > (after.0, &after.1)) {
            let overview = stone.overview.value();
            let text = |key: &str| overview[key].as_str().unwrap_or_default();
            if filter.wants(text("region"), text("state")) {
                entries.push((stone.updated_at, stone.id.clone(), overview));
            }
        }
        entries.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    }
}

/// A Machine as an organisation's list shows it.
pub fn overview(app: &App, machine: &Machine, state: MachineState) -> Value {
    let parts = machine.config.parts();
    json!({
        "id": machine.id,
        "name": machine.name,
        "app_name": app.name,
        "state": state.as_str(),
        "region": machine.region,
        "instance_id": machine.instance_id,
        "version": machine.instance_id,
        "private_ip": machine.private_ip,
        "config": { "image": parts.image, "guest": parts.guest, "metadata": parts.metadata },
        "created_at": rfc3339(machine.created_at),
        "updated_at": rfc3339(machine.updated_at),
    })
}
