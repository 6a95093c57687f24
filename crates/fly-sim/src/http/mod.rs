//! The HTTP side: routes, what every call goes through, and the answers.

pub mod actions;
pub mod addresses;
pub mod answer;
pub mod apps;
pub mod certificates;
pub mod control;
pub mod exec;
pub mod leases;
pub mod machine_lists;
pub mod machines;
pub mod metadata;
pub mod org;
pub mod pipeline;
pub mod platform;
pub mod secret_keys;
pub mod secrets;
pub mod spoil;
pub mod summary;
pub mod tokens;
pub mod volumes;
pub mod wait;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{delete, get, post, put};

use crate::world::Sim;

/// Bodies above this are refused; files in a Machine's config are the biggest that come.
const BODY_LIMIT: usize = 8 << 20;

/// The whole API.
pub fn router(sim: &Arc<Sim>) -> Router {
    let fly = apps_and_machines()
        .merge(machine_routes())
        .merge(other_routes())
        .layer(from_fn_with_state(Arc::clone(sim), pipeline::pass));
    fly.merge(control::routes())
        .fallback(pipeline::no_route)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(Arc::clone(sim))
}

type Routes = Router<Arc<Sim>>;

fn apps_and_machines() -> Routes {
    Router::new()
        .route("/v1/apps", get(apps::list).post(apps::create))
        .route("/v1/apps/{app}", get(apps::show).delete(apps::remove))
        .route("/v1/apps/{app}/deploy_token", post(tokens::deploy))
        .route("/v1/apps/{app}/machines", get(machine_lists::list).post(machines::create))
        .route(
            "/v1/apps/{app}/machines/{machine}",
            get(machines::show).post(machines::update).delete(actions::destroy),
        )
}

fn machine_routes() -> Routes {
    const MACHINE: &str = "/v1/apps/{app}/machines/{machine}";
    let at = |rest: &str| format!("{MACHINE}/{rest}");
    Router::new()
        .route(&at("start"), post(actions::start))
        .route(&at("stop"), post(actions::stop))
        .route(&at("suspend"), post(actions::suspend))
        .route(&at("restart"), post(actions::restart))
        .route(&at("signal"), post(actions::signal))
        .route(&at("cordon"), post(actions::cordon))
        .route(&at("uncordon"), post(actions::uncordon))
        .route(&at("wait"), get(wait::wait))
        .route(&at("exec"), post(exec::exec))
        .route(&at("ps"), get(exec::processes))
        .route(&at("events"), get(machines::events))
        .route(&at("versions"), get(machines::versions))
        .route(&at("memory"), get(actions::memory).put(actions::limit_memory))
        .route(&at("memory/reclaim"), post(actions::reclaim_memory))
        .route(&at("lease"), get(leases::show).post(leases::acquire).delete(leases::release))
        .route(&at("metadata"), get(metadata::all).put(metadata::merge).patch(metadata::merge))
        .route(&at("metadata/{key}"), get(metadata::one).post(metadata::set).delete(metadata::remove))
}

fn other_routes() -> Routes {
    Router::new()
        .route("/v1/apps/{app}/volumes", get(volumes::list).post(volumes::create))
        .route(
            "/v1/apps/{app}/volumes/{volume}",
            get(volumes::show).put(volumes::update).delete(volumes::remove),
        )
        .route("/v1/apps/{app}/volumes/{volume}/extend", put(volumes::extend))
        .route("/v1/apps/{app}/volumes/{volume}/snapshots", get(volumes::snapshots).post(volumes::snapshot))
        .route("/v1/apps/{app}/ip_assignments", get(addresses::list).post(addresses::assign))
        .route("/v1/apps/{app}/ip_assignments/{ip}", delete(addresses::release))
        .route("/v1/apps/{app}/secrets", get(secrets::list).post(secrets::set_many))
        .route("/v1/apps/{app}/secrets/{name}", get(secrets::one).post(secrets::set).delete(secrets::remove))
        .route("/v1/apps/{app}/secretkeys", get(secret_keys::list))
        .route(
            "/v1/apps/{app}/secretkeys/{name}",
            get(secret_keys::one).post(secret_keys::set).delete(secret_keys::remove),
        )
        .route("/v1/apps/{app}/secretkeys/{name}/{action}", post(secret_keys::act))
        .merge(certificates::routes())
        .route("/v1/orgs/{org}/machines", get(org::machines))
        .route("/v1/orgs/{org}/volumes", get(org::volumes))
        .route("/v1/platform/regions", get(platform::regions))
        .route("/v1/platform/placements", post(platform::placements))
        .route("/v1/tokens/current", get(tokens::current))
        .route("/v1/tokens/oidc", post(tokens::oidc))
        .route("/v1/tokens/kms", post(tokens::kms))
}
