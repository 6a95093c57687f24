//! `moorage recover`: brings a Runtime back that is stuck or gone, by what is safe, with a word before each step.
//!
//! It only asks: by a RuntimeTask, by `spec.confirm` on a claim, or by declaring a Runtime again. The operator does it,
//! under the same rules as ever, and the API server decides whether whoever runs this may ask.

mod carry_out;
mod choose;

use std::time::Duration;

use clap::{Args, ValueEnum};
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};

use super::output::plain;
use super::{AdminError, pages};
use crate::api::name_claim::ClaimType;
use crate::api::{NameClaim, Runtime};
use crate::engine::clock::{Clock, SystemClock};

pub use choose::{Plan, Seen, Step, plan};

/// What is to be brought back, and how.
#[derive(Debug, Args)]
pub struct Recover {
    /// The Runtime, as NAMESPACE/NAME.
    #[arg(value_parser = place)]
    pub runtime: Place,
    /// How; left out, by what its own condition asks for.
    #[arg(long, value_enum)]
    pub way: Option<Way>,
    /// For a restore: the snapshot. Left out, the newest.
    #[arg(long, value_name = "ID")]
    pub snapshot: Option<String>,
    /// For a Runtime that is gone, and had several: the slug of the one that is meant.
    #[arg(long)]
    pub slug: Option<String>,
    /// Seconds to wait for each step to come to its end.
    #[arg(long, default_value_t = 900)]
    pub timeout: u64,
    /// Does it.
    #[arg(long)]
    pub yes: bool,
}

/// Where a Runtime is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// How a Runtime is brought back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Way {
    /// Its Machine begins anew, with the same data.
    Restart,
    /// Its volume is put back to a snapshot; what was written since isn't in it.
    Restore,
    /// It is deployed again, by the Blueprint as it is now, with a snapshot before and a way back.
    Redeploy,
}

fn place(text: &str) -> Result<Place, String> {
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
            Ok(Place { namespace: namespace.to_owned(), name: name.to_owned() })
        }
        _ => Err("name the Runtime as NAMESPACE/NAME".to_owned()),
    }
}

/// Says what it would do, and with `--yes` does it and waits.
///
/// # Errors
/// If it isn't safe, with what to do instead; or if a step fails.
pub async fn run(client: Client, recover: &Recover, print: impl Fn(String)) -> Result<(), AdminError> {
    let print = |line: String| print(plain(&line));
    let seen = look(&client, recover).await?;
    let plan = plan(SystemClock.now(), &seen, recover).map_err(AdminError::Refused)?;
    plan.told().into_iter().for_each(&print);
    if !recover.yes {
        print("Nothing was changed; --yes does it.".into());
        return Ok(());
    }
    let patience = Duration::from_secs(recover.timeout);
    carry_out::all(&client, &seen.place, plan, patience, print).await
}

async fn look(client: &Client, recover: &Recover) -> Result<Seen, AdminError> {
    let place = recover.runtime.clone();
    let runtimes: Api<Runtime> = Api::namespaced(client.clone(), &place.namespace);
    let runtime = runtimes.get_opt(&place.name).await.map_err(AdminError::kubernetes("read the Runtime"))?;
    let params = ListParams::default().fields(&format!("spec.holder.namespace={}", place.namespace));
    let mut claims: Vec<NameClaim> = pages(&Api::all(client.clone()), &params, "NameClaims").await?;
    claims.retain(|claim| claim.spec.type_ == ClaimType::Slug && claim.spec.holder.name == place.name);
    claims.sort_by_key(ResourceExt::name_any);
    Ok(Seen { place, runtime, claims })
}
