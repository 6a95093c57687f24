//! Warm apps: made ahead for a Plan, and given to one Runtime each.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::name_claim::Holder;
use super::refs::NameRef;

/// What a Plan keeps ready.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct WarmPool {
    /// How many apps are kept ready in each of the regions, each with its volume and a Machine that runs and is paid
    /// for. 0 removes those that there are.
    #[schemars(range(min = 0, max = 50))]
    pub size: i32,
    /// Blueprint that they run: the operator's default if left out. Only Runtimes of this Blueprint get one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blueprint_ref: Option<NameRef>,
    /// Regions that they are made in: the operator's defaults if left out. Only Runtimes whose first region is one of
    /// them get one.
    #[schemars(length(max = 8), inner(length(min = 3, max = 3), regex(pattern = "^[a-z]{3}$")))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<String>,
}

/// An app that was made ahead, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.phase != 'Given' || has(self.givenTo)").message("`givenTo` must name the Runtime that it was given to"))]
#[x_kube(validation = Rule::new("self.phase != 'Kept' || !has(self.givenTo)").message("`givenTo` must not be set while it is `Kept`"))]
#[x_kube(validation = Rule::new("self.phase != 'Kept' || oldSelf.phase == 'Kept'").message("`phase` must not become `Kept` again: what was given or dropped is never given to another"))]
#[x_kube(validation = Rule::new("!has(oldSelf.givenTo) || has(self.givenTo)").message("`givenTo` must not be removed: it is given once"))]
#[x_kube(validation = Rule::new("oldSelf.phase != 'Dropped' || self.phase == 'Dropped'").message("`phase` must stay `Dropped`: it is being removed"))]
pub struct WarmApp {
    /// Region that it is made in.
    #[schemars(length(min = 3, max = 8))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("must not change"))]
    pub region: String,
    /// What becomes of it.
    pub phase: WarmPhase,
    /// The Runtime that it was given to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self == oldSelf").message("must not change: it is given once"))]
    pub given_to: Option<Holder>,
}

/// What becomes of a warm app.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
pub enum WarmPhase {
    /// It is made, and kept for a Runtime to come.
    Kept,
    /// A Runtime has it. Once that Runtime's slug says so, this claim goes.
    Given,
    /// It is removed: nobody was given it, or nobody took what was given.
    Dropped,
}

impl WarmApp {
    /// One that is about to be made.
    pub fn kept(region: &str) -> Self {
        Self { region: region.to_owned(), phase: WarmPhase::Kept, given_to: None }
    }

    /// Whether it was given to the object with this UID, and is still there for it.
    pub fn is_given_to(&self, uid: Option<&str>) -> bool {
        self.phase == WarmPhase::Given && self.given_to.as_ref().map(|holder| holder.uid.as_str()) == uid
    }
}
