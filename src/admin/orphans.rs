//! `moorage orphans`: apps at Fly that carry our mark and that no claim names. One is removed only when told to.

use std::collections::HashSet;

use clap::{Args, Subcommand};
use fly_machines::types::{App, AppDeletion, ListMachines};
use jiff::Timestamp;
use kube::{Client, ResourceExt};

use super::{AdminError, FlyFile, claims};
use crate::api::NameClaim;
use crate::control::strays::is_stray;
use crate::engine::config::Config;

/// What a GB of a volume costs a month, in dollars.
const VOLUME_GB_MONTH: f64 = 0.15;

/// Shows orphans, or removes one.
#[derive(Debug, Args)]
pub struct Orphans {
    /// How Fly is reached.
    #[command(flatten)]
    pub fly: FlyFile,
    /// What to do; left out, they are listed.
    #[command(subcommand)]
    pub action: Option<Action>,
}

/// What is done about orphans.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Removes one app with everything in it.
    Remove {
        /// The app.
        app: String,
        /// Removes its volumes too, whose data is then gone.
        #[arg(long)]
        delete_data: bool,
    },
}

/// What stands in an orphan.
struct Standing {
    machines: usize,
    volumes: usize,
    gigabytes: u32,
    oldest: Option<Timestamp>,
}

/// Lists or removes.
///
/// # Errors
/// If something can't be read, or the app is not one to be removed.
pub async fn run(client: Client, orphans: &Orphans, print: impl Fn(String)) -> Result<(), AdminError> {
    let (config, fly) = orphans.fly.connect()?;
    match &orphans.action {
        None => list(&client, &config, &fly, print).await,
        Some(Action::Remove { app, delete_data }) => {
            let data = if *delete_data { Data::Goes } else { Data::Stays };
            remove(&client, &config, &fly, app, data, print).await
        }
    }
}

/// Whether data may be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Data {
    Goes,
    Stays,
}

async fn list(
    client: &Client,
    config: &Config,
    fly: &fly_machines::Client,
    print: impl Fn(String),
) -> Result<(), AdminError> {
    let claimed = claimed(&claims(client).await?);
    let apps = fly.apps().list(&config.fly.organization).await.map_err(AdminError::fly("list the apps"))?;
    let mut count = 0;
    for app in apps.iter().filter(|app| is_stray(app, &config.fly.app_prefix, |name| claimed.contains(name)))
    {
        let standing = look(fly, app).await?;
        print(standing.told(&app.name));
        count += 1;
    }
    print(format!("{count} apps carry our mark and no claim names them."));
    Ok(())
}

fn claimed(claims: &[NameClaim]) -> HashSet<String> {
    claims.iter().filter_map(|claim| Some(claim.spec.runtime.as_ref()?.app.clone())).collect()
}

async fn look(fly: &fly_machines::Client, app: &App) -> Result<Standing, AdminError> {
    let machines = fly.machines(&app.name).list(&ListMachines::default()).await;
    let machines = machines.map_err(AdminError::fly("list Machines"))?;
    let volumes = fly.volumes(&app.name).list().await.map_err(AdminError::fly("list volumes"))?;
    let machines: Vec<_> = machines.iter().filter(|machine| !machine.state.is_gone()).collect();
    let volumes: Vec<_> = volumes.iter().filter(|volume| !volume.state.is_gone()).collect();
    let made = machines.iter().filter_map(|it| it.created_at);
    Ok(Standing {
        machines: machines.len(),
        volumes: volumes.len(),
        gigabytes: volumes.iter().map(|volume| volume.size_gb).sum(),
        oldest: made.chain(volumes.iter().filter_map(|it| it.created_at)).min(),
    })
}

/// Fly and the claims are read anew, right before.
async fn remove(
    client: &Client,
    config: &Config,
    fly: &fly_machines::Client,
    name: &str,
    data: Data,
    print: impl Fn(String),
) -> Result<(), AdminError> {
    let app = fly.apps().get(name).await.map_err(AdminError::fly("read the app"))?;
    let organization = &config.fly.organization;
    let foreign = app.organization.as_ref().is_some_and(|it| !it.slug.is_empty() && it.slug != *organization);
    let standing = look(fly, &app).await?;
    let all = claims(client).await?;
    let holder = all.iter().find(|claim| claim.spec.runtime.as_ref().is_some_and(|it| it.app == name));
    if let Some(claim) = holder {
        return Err(AdminError::Refused(format!(
            "the NameClaim `{}` names `{name}`; it is no orphan",
            claim.name_any()
        )));
    }
    if foreign || !is_stray(&app, &config.fly.app_prefix, |_| false) {
        return Err(AdminError::Refused(format!(
            "`{name}` doesn't carry the mark of this operator's apps (prefix and network); it is left alone"
        )));
    }
    if standing.volumes > 0 && data == Data::Stays {
        return Err(AdminError::Refused(format!(
            "{}; its data would be gone: give --delete-data if it is meant to",
            standing.told(name)
        )));
    }
    fly.apps().delete(name, AppDeletion::Force).await.map_err(AdminError::fly("remove the app"))?;
    print(format!("removed: {}", standing.told(name)));
    Ok(())
}

impl Standing {
    fn told(&self, name: &str) -> String {
        let since = self.oldest.map_or_else(|| "unknown".to_owned(), |at| at.strftime("%F").to_string());
        let cost = f64::from(self.gigabytes) * VOLUME_GB_MONTH;
        format!(
            "{name}: since {since}, {} Machines, {} volumes of {} GB (about ${cost:.2} a month)",
            self.machines, self.volumes, self.gigabytes
        )
    }
}
