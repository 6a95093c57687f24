//! The client: a cheap handle on one connection pool, token and budget.

use std::sync::Arc;

use crate::api::addresses::Addresses;
use crate::api::apps::Apps;
use crate::api::certificates::Certificates;
use crate::api::leases::Leases;
use crate::api::machines::Machines;
use crate::api::metadata::Metadata;
use crate::api::org::Org;
use crate::api::platform::Platform;
use crate::api::secrets::Secrets;
use crate::api::tokens::Tokens;
use crate::api::volumes::Volumes;
use crate::builder::ClientBuilder;
use crate::limit::Budget;
use crate::token::TokenSource;
use crate::transport::Transport;

/// A client of the Machines API. Clones share everything.
#[derive(Clone)]
pub struct Client {
    transport: Arc<Transport>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("base", &self.transport.base).finish_non_exhaustive()
    }
}

impl Client {
    /// Begins a client with this token.
    pub fn builder(token: TokenSource) -> ClientBuilder {
        ClientBuilder::new(token)
    }

    pub(crate) fn new(transport: Transport) -> Self {
        Self { transport: Arc::new(transport) }
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.transport
    }

    /// What is left of the budget, for metrics.
    pub fn budget(&self) -> Budget {
        self.transport.limiter.budget()
    }

    /// Apps.
    pub fn apps(&self) -> Apps<'_> {
        Apps::new(self)
    }

    /// The Machines of an app.
    pub fn machines<'a>(&'a self, app: &'a str) -> Machines<'a> {
        Machines::new(self, app)
    }

    /// The metadata of a Machine.
    pub fn metadata<'a>(&'a self, app: &'a str, machine: &'a str) -> Metadata<'a> {
        Metadata::new(self, app, machine)
    }

    /// The leases on an app's Machines.
    pub fn leases<'a>(&'a self, app: &'a str) -> Leases<'a> {
        Leases::new(self, app)
    }

    /// The volumes of an app.
    pub fn volumes<'a>(&'a self, app: &'a str) -> Volumes<'a> {
        Volumes::new(self, app)
    }

    /// The secrets of an app.
    pub fn secrets<'a>(&'a self, app: &'a str) -> Secrets<'a> {
        Secrets::new(self, app)
    }

    /// The addresses of an app.
    pub fn addresses<'a>(&'a self, app: &'a str) -> Addresses<'a> {
        Addresses::new(self, app)
    }

    /// The hostnames of an app and their certificates.
    pub fn certificates<'a>(&'a self, app: &'a str) -> Certificates<'a> {
        Certificates::new(self, app)
    }

    /// Everything in an organisation.
    pub fn org<'a>(&'a self, org_slug: &'a str) -> Org<'a> {
        Org::new(self, org_slug)
    }

    /// Regions and room.
    pub fn platform(&self) -> Platform<'_> {
        Platform::new(self)
    }

    /// What the token may do.
    pub fn tokens(&self) -> Tokens<'_> {
        Tokens::new(self)
    }
}
