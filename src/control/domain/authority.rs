//! The certificate authority for customers' hostnames: one account for the whole platform, and the orders under way.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::account;
use super::facts::{AcmeOffer, Rooms, Texts};
use super::index::Orders;
use crate::api::custom_domain::{CertificateSpec, Challenge};
use crate::api::reason;
use crate::control::context::Context;
use crate::control::runtime::facts::Refusal;
use crate::domains::DomainError;
use crate::domains::acme::{Account, AcmeError, Authority, Order};
use crate::domains::budget::{Kind, Past};
use crate::domains::caa::{CaaSet, Covers, Issuance, Method};
use crate::domains::name::Hostname;
use crate::domains::secret::Secrets;
use crate::engine::config::custom_domains::AcmeSettings;

/// The authority, if one is configured.
pub struct Acme {
    settings: AcmeSettings,
    authority: Authority,
    account: tokio::sync::Mutex<Option<Account>>,
    orders: Mutex<HashMap<String, Order>>,
    /// Held while it is looked whether there is room for an order, until that is counted.
    counting: tokio::sync::Mutex<()>,
}

impl Acme {
    /// The authority that is configured.
    ///
    /// # Errors
    /// If its own authority can't be read.
    pub fn new(settings: AcmeSettings, secrets: Secrets) -> Result<Self, DomainError> {
        let authority = Authority::new(settings.authority.clone(), secrets)?;
        Ok(Self {
            settings,
            authority,
            account: tokio::sync::Mutex::default(),
            orders: Mutex::default(),
            counting: tokio::sync::Mutex::default(),
        })
    }

    /// The authority itself.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The pause between two questions about a renewal, if it isn't the authority's to say.
    pub fn renewal_pause(&self) -> Option<Duration> {
        self.settings.renewal_info_seconds.map(|seconds| Duration::from_secs(seconds.into()))
    }

    /// How certificates can be ordered.
    pub fn offer(&self, ctx: &Context) -> AcmeOffer {
        let keeps = ctx.base_domain.as_ref().is_some_and(|base| base.provider().is_some());
        let ingress = self.settings.http01.as_ref().map(|http01| http01.addresses.clone());
        AcmeOffer {
            ingress: ingress.unwrap_or_default(),
            texts: if keeps { Texts::Kept } else { Texts::None },
        }
    }

    /// Whether another order may be placed for the hostname.
    pub fn rooms(&self, ctx: &Context, now: Timestamp, host: &Hostname, key: &str) -> Rooms {
        let Orders { account, domain, name, failures } = ctx.claims.certificate_orders(host.as_str(), key);
        let past = Past { account: &account, domain: &domain, name: &name, failures: &failures };
        let verdict = |kind| self.settings.limits.verdict(now, kind, &past);
        Rooms { first: verdict(Kind::First), renewal: verdict(Kind::Renewal) }
    }

    /// Waits until nobody else counts an order. Nobody does as long as the guard lives: what is left of the limits is
    /// given out once.
    pub async fn alone(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.counting.lock().await
    }

    /// The account; made if there is none.
    ///
    /// # Errors
    /// If it can't be read, stored or made.
    pub async fn account(&self, ctx: &Context) -> Result<Account, AcmeError> {
        let mut account = self.account.lock().await;
        if let Some(account) = &*account {
            return Ok(account.clone());
        }
        let credentials = account::ready(ctx, &self.authority).await?;
        let made = self.authority.account(credentials);
        *account = Some(made.clone());
        Ok(made)
    }

    /// Forgets an account that the authority doesn't know any more: another is made.
    ///
    /// # Errors
    /// If the API server refuses or can't be asked.
    pub async fn forget_account(&self, ctx: &Context) -> kube::Result<()> {
        let mut account = self.account.lock().await;
        account::remove(ctx, account.as_ref().map(Account::uri)).await?;
        *account = None;
        Ok(())
    }

    /// Reads the account anew, as after its key was changed. Orders under way are taken up again under the new one.
    pub async fn reread_account(&self) {
        *self.account.lock().await = None;
        self.orders.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Takes an order out that is under way, to be put back.
    pub fn take(&self, key: &str) -> Option<Order> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner).remove(key)
    }

    /// Keeps an order that is under way.
    pub fn put(&self, key: &str, order: Order) {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned(), order);
    }

    /// Why CAA records keep the authority from issuing, if they do.
    ///
    /// # Errors
    /// If the authority can't be asked for its names.
    pub async fn forbidden(
        &self,
        ctx: &Context,
        host: &Hostname,
        spec: &CertificateSpec,
        records: Option<&CaaSet>,
    ) -> Result<Option<Refusal>, AcmeError> {
        let Some(records) = records else { return Ok(None) };
        let identities = match &self.settings.caa_identities[..] {
            [] => self.authority.metadata().await?.caa_identities,
            named => named.to_vec(),
        };
        if identities.is_empty() {
            return Ok(None);
        }
        let account = self.account(ctx).await?;
        let wanted = Issuance {
            identities: &identities,
            account: Some(account.uri()),
            method: match spec.challenge.unwrap_or_default() {
                Challenge::Dns01 => Method::Dns01,
                Challenge::Http01 => Method::Http01,
            },
            covers: if host.is_wildcard() { Covers::Wildcard } else { Covers::Name },
        };
        let refused = records.admit(&wanted).err();
        Ok(refused.map(|error| Refusal::new(reason::CAA_FORBIDS, error.to_string())))
    }
}
