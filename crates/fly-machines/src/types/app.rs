//! Apps: what holds Machines, volumes, addresses and secrets.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::wire::{nullable, time};

/// A request for a new app.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CreateApp {
    /// The app's name: global to Fly, at most 63 lowercase letters, digits and dashes.
    pub name: String,
    /// The organisation that pays for it.
    pub org_slug: String,
    /// A private network of its own, which can never be changed: letters, digits and dashes, a letter first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// Lets the app answer on subdomains of its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_subdomains: Option<bool>,
    /// A repeated request with the same key and name answers with the first app.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
}

impl CreateApp {
    /// An app on the organisation's default network.
    pub fn new(name: impl Into<String>, org_slug: impl Into<String>) -> Self {
        Self { name: name.into(), org_slug: org_slug.into(), ..Self::default() }
    }

    /// Puts the app on a private network of its own.
    #[must_use]
    pub fn network(mut self, network: impl Into<String>) -> Self {
        self.network = Some(network.into());
        self
    }
}

/// The answer to a creation.
#[derive(Clone, Debug, Deserialize)]
pub struct CreatedApp {
    /// Fly's own id of the app; calls use its name.
    #[serde(default, deserialize_with = "nullable")]
    pub id: String,
    /// When it was made.
    #[serde(default, deserialize_with = "time")]
    pub created_at: Option<Timestamp>,
}

/// An app as the API knows it.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct App {
    /// Fly's own id of the app.
    #[serde(default, deserialize_with = "nullable")]
    pub id: String,
    /// The name that calls use.
    #[serde(default, deserialize_with = "nullable")]
    pub name: String,
    /// `pending` until something is deployed, then `deployed`; `suspended`.
    #[serde(default, deserialize_with = "nullable")]
    pub status: String,
    /// The private network; `default` or empty for the organisation's.
    #[serde(default, deserialize_with = "nullable")]
    pub network: String,
    /// How many Machines it has; given by lists.
    #[serde(default)]
    pub machine_count: Option<u64>,
    /// How many volumes it has; given by lists.
    #[serde(default)]
    pub volume_count: Option<u64>,
    /// Whose it is; lists leave it out.
    #[serde(default)]
    pub organization: Option<AppOrganization>,
    /// What a customer's CNAME record should point to.
    #[serde(default)]
    pub cname_target: Option<String>,
}

impl App {
    /// Whether the app is known to belong to this organisation.
    pub fn belongs_to(&self, org_slug: &str) -> bool {
        self.organization.as_ref().is_some_and(|org| org.slug == org_slug)
    }
}

/// The organisation of an app.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct AppOrganization {
    /// Its display name.
    #[serde(default, deserialize_with = "nullable")]
    pub name: String,
    /// The slug that calls use.
    #[serde(default, deserialize_with = "nullable")]
    pub slug: String,
}

#[derive(Deserialize)]
pub(crate) struct AppsPage {
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) apps: Vec<App>,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) next_cursor: String,
}

/// What happens to Machines that still run when an app is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppDeletion {
    /// The API may refuse while Machines run.
    IfStopped,
    /// Machines are stopped and everything in the app is deleted.
    Force,
}
