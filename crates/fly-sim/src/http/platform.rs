//! Regions and placements.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use bytes::Bytes;
use serde_json::{Value, json};

use super::answer::{Answer, Caller, ok, read, text};
use crate::error::ApiError;
use crate::model::host::{REGIONS, Region, expand};
use crate::world::Sim;

/// What a region takes when nothing limits it.
const ROOM: usize = 1_000;

/// `GET /platform/regions`
pub async fn regions(State(sim): State<Arc<Sim>>, Extension(caller): Extension<Caller>) -> Answer {
    let state = caller.enter(&sim);
    let shown: Vec<&Region> = REGIONS.iter().filter(|region| state.regions.contains(&region.code)).collect();
    ok(&json!({ "Regions": shown, "Nearest": state.regions.first() }))
}

/// `POST /platform/placements`: where there is room, without a reservation.
pub async fn placements(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Answer {
    let body: Value = read(&body)?;
    if text(&body, "org_slug") != caller.grant.org {
        return Err(ApiError::forbidden());
    }
    let state = caller.enter(&sim);
    let asked = text(&body, "region");
    let wanted = if asked.is_empty() { state.regions.clone() } else { expand(&asked) };
    let count =
        body["count"].as_u64().and_then(|count| usize::try_from(count).ok()).filter(|count| *count > 0);
    let with_volume =
        !text(&body, "volume_name").is_empty() || body["volume_size_bytes"].as_u64().unwrap_or(0) > 0;
    let rooms = wanted.into_iter().filter(|region| state.regions.contains(region));
    let rooms = rooms.filter(|region| !with_volume || state.has_volume_room(region));
    let rooms =
        rooms.map(|region| (region, state.room(region, count.unwrap_or(ROOM)))).filter(|(_, room)| *room > 0);
    let shown: Vec<Value> = rooms
        .map(|(region, room)| json!({ "Region": region, "Count": room, "Concurrency": room.min(10) }))
        .collect();
    ok(&json!({ "Regions": shown }))
}
