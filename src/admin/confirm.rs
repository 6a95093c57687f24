//! `moorage confirm`: the platform's word on what waits for it, for one or for all.

use std::collections::HashMap;

use clap::{Args, Subcommand};
use futures::StreamExt;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use serde_json::json;

use super::{AdminError, claims};
use crate::api::name_claim::{ClaimType, ConfirmAction, DeletionPhase};
use crate::api::{CustomDomain, NameClaim, Runtime, RuntimeOrder, Workspace};
use crate::control::runtime::resolve::slug;

/// Writes at once.
const CONCURRENCY: usize = 8;

/// What is confirmed.
#[derive(Debug, Subcommand)]
pub enum Confirm {
    /// Deletions that the brake holds go on.
    Deletions(Selection),
    /// Objects of a restored cluster take over the names, and what stands at Fly, of those that they were made from.
    Takeovers(Selection),
}

/// Of what: without names and without `--all` it is only shown what waits.
#[derive(Debug, Args)]
pub struct Selection {
    /// In this namespace alone.
    #[arg(long, short)]
    pub namespace: Option<String>,
    /// Names of the objects.
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Everything that waits.
    #[arg(long, conflicts_with = "names")]
    pub all: bool,
}

/// Something that waits for the platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Name of the claim.
    pub claim: String,
    /// Its version, as it was judged.
    pub version: Option<String>,
    /// Namespace of the object.
    pub namespace: String,
    /// Name of the object.
    pub name: String,
    /// UID of the object.
    pub uid: String,
    /// What is to be confirmed.
    pub action: ConfirmAction,
    /// Whether it is meant only if it is named: its last holder had given it up.
    pub given_up: bool,
}

/// Confirms, and says line by line what it did.
///
/// # Errors
/// If something can't be read or confirmed.
pub async fn run(client: Client, command: &Confirm, print: impl Fn(String)) -> Result<(), AdminError> {
    let (waiting, selection) = match command {
        Confirm::Deletions(selection) => (held(&claims(&client).await?), selection),
        Confirm::Takeovers(selection) => (changed(&client, &claims(&client).await?).await?, selection),
    };
    let chosen: Vec<Waiting> = waiting.into_iter().filter(|one| selection.takes(one)).collect();
    if chosen.is_empty() {
        print("Nothing of the kind waits for the platform.".into());
        return Ok(());
    }
    if !selection.all && selection.names.is_empty() {
        for one in &chosen {
            print(format!("waits: {}", one.told()));
        }
        print(format!("{} wait. Name them, or give --all, to confirm them.", chosen.len()));
        return Ok(());
    }
    confirm_all(&client, chosen, print).await
}

async fn confirm_all(
    client: &Client,
    chosen: Vec<Waiting>,
    print: impl Fn(String),
) -> Result<(), AdminError> {
    let (count, mut failed) = (chosen.len(), 0);
    let api: Api<NameClaim> = Api::all(client.clone());
    let mut writes = futures::stream::iter(chosen)
        .map(|one| {
            let api = api.clone();
            async move { (write(&api, &one).await, one) }
        })
        .buffered(CONCURRENCY);
    while let Some((written, one)) = writes.next().await {
        match written {
            Ok(()) => print(format!("confirmed: {}", one.told())),
            Err(error) => {
                failed += 1;
                print(format!("failed: {}: {error}", one.told()));
            }
        }
    }
    if failed > 0 {
        return Err(AdminError::Refused(format!(
            "{failed} of {count} couldn't be confirmed; only the platform may: one of the users or groups in the chart's `platform` values"
        )));
    }
    print(format!("{count} confirmed."));
    Ok(())
}

/// Writes only what was judged: a claim that changed meanwhile is judged again by whoever asks again.
async fn write(api: &Api<NameClaim>, one: &Waiting) -> kube::Result<()> {
    let patch = json!({
        "metadata": {"resourceVersion": one.version},
        "spec": {"confirm": {"uid": one.uid, "action": one.action}},
    });
    api.patch(&one.claim, &PatchParams::default(), &Patch::Merge(patch)).await.map(drop)
}

/// Deletions that are held.
pub fn held(claims: &[NameClaim]) -> Vec<Waiting> {
    let waits = |claim: &&NameClaim| {
        claim.spec.deletion_phase() == Some(DeletionPhase::Held) && !claim.spec.deletion_confirmed()
    };
    let uid = |claim: &NameClaim| claim.spec.holder.uid.clone();
    claims.iter().filter(waits).map(|claim| waiting(claim, uid(claim), ConfirmAction::Deletion)).collect()
}

/// Objects that have the name of a claim's holder, and aren't the holder.
async fn changed(client: &Client, claims: &[NameClaim]) -> Result<Vec<Waiting>, AdminError> {
    let all = ListParams::default();
    let runtimes = Api::<Runtime>::all(client.clone()).list(&all).await;
    let runtimes = runtimes.map_err(AdminError::kubernetes("list Runtimes"))?.items;
    let workspaces = Api::<Workspace>::all(client.clone()).list(&all).await;
    let workspaces = workspaces.map_err(AdminError::kubernetes("list Workspaces"))?.items;
    let orders = Api::<RuntimeOrder>::all(client.clone()).list(&ListParams::default()).await;
    let orders = orders.map_err(AdminError::kubernetes("list RuntimeOrders"))?.items;
    let domains = Api::<CustomDomain>::all(client.clone()).list(&all).await;
    let domains = domains.map_err(AdminError::kubernetes("list CustomDomains"))?.items;
    Ok(takeovers(claims, &runtimes, &workspaces, &orders, &domains))
}

/// Objects that have the name of a claim's holder, and aren't the holder.
pub fn takeovers(
    claims: &[NameClaim],
    runtimes: &[Runtime],
    workspaces: &[Workspace],
    orders: &[RuntimeOrder],
    domains: &[CustomDomain],
) -> Vec<Waiting> {
    let key = |namespace: Option<String>, name: String| (namespace.unwrap_or_default(), name);
    let by_name: HashMap<_, _> =
        runtimes.iter().map(|runtime| (key(runtime.namespace(), runtime.name_any()), runtime)).collect();
    let of_workspace: HashMap<_, _> =
        workspaces.iter().map(|it| (key(it.namespace(), it.name_any()), it)).collect();
    let of_order: HashMap<_, _> =
        orders.iter().map(|order| (key(order.namespace(), order.name_any()), order)).collect();
    let of_domain: HashMap<_, _> =
        domains.iter().map(|it| (key(it.namespace(), it.name_any()), it)).collect();
    let workspace_in =
        |namespace: &str| workspaces.iter().find(|it| it.namespace().as_deref() == Some(namespace));
    let found = claims.iter().filter_map(|claim| {
        let holder = &claim.spec.holder;
        let place = (holder.namespace.clone(), holder.name.clone());
        let uid = match claim.spec.type_ {
            ClaimType::Slug => {
                let runtime = by_name.get(&place)?;
                (slug(runtime, workspace_in(&holder.namespace)) == claim.spec.name).then(|| runtime.uid())?
            }
            // Another order of a name that was given up is another checkout.
            ClaimType::Order if claim.spec.tombstone.is_some() => None,
            ClaimType::Order => of_order.get(&place)?.uid(),
            ClaimType::Namespace | ClaimType::Subdomain => of_workspace.get(&place)?.uid(),
            ClaimType::Hostname => of_domain.get(&place)?.uid(),
            ClaimType::Warm => None,
        }?;
        let waits = uid != holder.uid && !claim.spec.takeover_confirmed(Some(&uid));
        waits.then(|| waiting(claim, uid, ConfirmAction::Takeover))
    });
    found.collect()
}

fn waiting(claim: &NameClaim, uid: String, action: ConfirmAction) -> Waiting {
    Waiting {
        claim: claim.name_any(),
        version: claim.resource_version(),
        namespace: claim.spec.holder.namespace.clone(),
        name: claim.spec.holder.name.clone(),
        uid,
        action,
        given_up: claim.spec.tombstone.is_some(),
    }
}

impl Selection {
    fn takes(&self, one: &Waiting) -> bool {
        let here = self.namespace.as_ref().is_none_or(|namespace| *namespace == one.namespace);
        let named = self.names.contains(&one.name);
        here && if self.names.is_empty() { !(self.all && one.given_up) } else { named }
    }
}

impl Waiting {
    fn told(&self) -> String {
        let what = match self.action {
            ConfirmAction::Deletion => "its deletion goes on",
            ConfirmAction::Takeover if self.given_up => "it takes over what its earlier holder left",
            ConfirmAction::Takeover => "it takes over from its earlier self",
        };
        format!("{}/{} ({}): {what}", self.namespace, self.name, self.claim)
    }
}
