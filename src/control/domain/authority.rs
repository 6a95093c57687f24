//! The certificate authority for customers' hostnames: one account for the whole platform, and the orders under way.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::timeout;

use super::account;
use super::facts::{AcmeOffer, Rooms, Texts};
use super::index::Orders;
use super::under_way::UnderWay;
use crate::api::custom_domain::{CertificateSpec, Challenge};
use crate::api::reason;
use crate::control::context::Context;
use crate::control::runtime::facts::Refusal;
use crate::domains::acme::{Account, AcmeError, Authority, Cause, Mark, Order};
use crate::domains::budget::{Kind, Past, Verdict};
use crate::domains::caa::{CaaSet, Covers, Issuance, Method};
use crate::domains::name::Hostname;
use crate::domains::secret::Secrets;
use crate::domains::{DomainClass, DomainError};
use crate::engine::config::custom_domains::AcmeSettings;

/// The longest time for which a look waits for what the authority says about itself.
const BRIEF: Duration = Duration::from_secs(5);

/// The authority, if one is configured.
pub struct Acme {
    settings: AcmeSettings,
    authority: Authority,
    account: tokio::sync::Mutex<Option<Account>>,
    under_way: Mutex<UnderWay>,
}

impl Acme {
    /// The authority that is configured.
    ///
    /// # Errors
    /// If its own authority can't be read.
    pub fn new(settings: AcmeSettings, secrets: Secrets) -> Result<Self, DomainError> {
        let authority = Authority::new(settings.authority.clone(), secrets)?;
        Ok(Self { settings, authority, account: tokio::sync::Mutex::default(), under_way: Mutex::default() })
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
        let orders = ctx.claims.certificate_orders(host.as_str(), key);
        let verdict = |kind| self.room(now, kind, &orders);
        Rooms { first: verdict(Kind::First), renewal: verdict(Kind::Renewal) }
    }

    /// Whether an order of this kind may be placed after these, or else when.
    pub fn room(&self, now: Timestamp, kind: Kind, orders: &Orders) -> Verdict {
        let past = Past {
            account: &orders.account,
            orders: &orders.orders,
            domain: &orders.domain,
            name: &orders.name,
            failures: &orders.failures,
        };
        self.settings.limits.verdict(now, kind, &past)
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
        self.under_way().belongs_to(Some(&made));
        *account = Some(made.clone());
        Ok(made)
    }

    /// What an error of this account, or of its order, comes to. An account that the authority doesn't know any more is
    /// forgotten, unless another has taken its place already. What was asked by an earlier key proves nothing: the order is
    /// taken up again.
    pub async fn judged(&self, ctx: &Context, by: &Mark, error: AcmeError) -> AcmeError {
        if error.cause == Cause::AccountUnknown {
            return self
                .forget_account(ctx, by)
                .await
                .err()
                .map_or(error, |failed| account::unreadable(&failed));
        }
        if self.under_way().counts(by) || error.error.class == DomainClass::Transient {
            return error;
        }
        let message = "The ACME account has another key or is another one; the order is taken up again.";
        DomainError::authority_unavailable(message).into()
    }

    async fn forget_account(&self, ctx: &Context, unknown: &Mark) -> kube::Result<()> {
        let mut account = self.account.lock().await;
        let Some(current) = account.as_ref().filter(|current| current.mark() == *unknown) else {
            return Ok(());
        };
        account::remove(ctx, current.uri()).await?;
        self.under_way().belongs_to(None);
        *account = None;
        Ok(())
    }

    /// Changes the account, as by giving it another key, while nobody uses it. It is read anew then, and orders under way
    /// are taken up again.
    pub async fn replaced<T>(&self, change: impl Future<Output = T>) -> T {
        let mut account = self.account.lock().await;
        self.under_way().belongs_to(None);
        *account = None;
        change.await
    }

    /// Takes an order out that is under way, to be put back.
    pub fn take(&self, key: &str) -> Option<Order> {
        self.under_way().take(key)
    }

    /// Keeps an order that is under way.
    pub fn put(&self, key: &str, order: Order) {
        self.under_way().put(key, order);
    }

    fn under_way(&self) -> MutexGuard<'_, UnderWay> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why CAA records keep the authority from issuing, if they do. An authority that is slow to tell its names is waited
    /// for no longer than other work on the hostname can wait.
    ///
    /// # Errors
    /// If the authority can't be asked for its names, or the account can't be read.
    pub async fn forbidden(
        &self,
        ctx: &Context,
        host: &Hostname,
        spec: &CertificateSpec,
        records: Option<&CaaSet>,
    ) -> Result<Option<Refusal>, AcmeError> {
        let Some(records) = records else { return Ok(None) };
        let identities = match &self.settings.caa_identities[..] {
            [] => self.identities().await?,
            named => named.to_vec(),
        };
        if identities.is_empty() {
            return Ok(None);
        }
        let account = self.account_uri(ctx).await?;
        let wanted = Issuance {
            identities: &identities,
            account: account.as_deref(),
            method: match spec.challenge.unwrap_or_default() {
                Challenge::Dns01 => Method::Dns01,
                Challenge::Http01 => Method::Http01,
            },
            covers: if host.is_wildcard() { Covers::Wildcard } else { Covers::Name },
        };
        let refused = records.admit(&wanted).err();
        Ok(refused.map(|error| Refusal::new(reason::CAA_FORBIDS, error.to_string())))
    }
    /// The names by which CAA records know the authority, as it tells them itself. Whoever asks doesn't wait for long; the
    /// question goes on, and what is answered is there for the next.
    async fn identities(&self) -> Result<Vec<String>, AcmeError> {
        let authority = self.authority.clone();
        let asked = tokio::spawn(async move { authority.metadata().await });
        if let Ok(Ok(answer)) = timeout(BRIEF, asked).await {
            return Ok(answer?.caa_identities);
        }
        let message =
            "The certificate authority doesn't tell by which names CAA records know it; it is asked again.";
        Err(DomainError::authority_unavailable(message).into())
    }

    /// The account's address, if there is an account: none is made for it, nor waited for while it is made.
    async fn account_uri(&self, ctx: &Context) -> Result<Option<String>, AcmeError> {
        let known = self.account.try_lock().ok().and_then(|it| it.as_ref().map(|it| it.uri().to_owned()));
        match known {
            Some(uri) => Ok(Some(uri)),
            None => account::stored_uri(ctx, &self.authority).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use serde_json::{Value, json};
    use tokio::time::Instant;

    use super::*;
    use crate::api::custom_domain::CertificateSource;
    use crate::control::domain::hostnames::Small;
    use crate::control::small_cluster::SmallCluster;
    use crate::domains::caa::Caa;

    /// What comes of a look, and in how many seconds, at an authority that takes connections and says nothing.
    async fn looked(acme: Value) -> (Result<Option<Refusal>, AcmeError>, u64) {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let directory = format!("https://{}/dir", silent.local_addr().unwrap());
        let small = Small::at(SmallCluster::default(), json!({"directoryURL": directory}), acme);
        let host = Hostname::parse("www.example.com").unwrap();
        let spec = CertificateSpec { source: CertificateSource::Acme, secret_ref: None, challenge: None };
        let issue = Caa { is_critical: false, tag: "issue".into(), value: "other.example".into() };
        let records = CaaSet { name: "example.com".into(), records: vec![issue] };
        let began = Instant::now();
        let authority = small.ctx.acme.as_ref().unwrap();
        let told = authority.forbidden(&small.ctx, &host, &spec, Some(&records)).await;
        (told, began.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn an_authority_that_says_nothing_holds_a_look_at_records_up_for_seconds() {
        let (told, seconds) = looked(json!({})).await;
        assert_eq!(told.unwrap_err().error.reason, reason::CERTIFICATE_AUTHORITY_UNAVAILABLE);
        assert!(seconds <= 6, "{seconds} s");
        // Nor is an account made there for it.
        let (told, seconds) = looked(json!({"caaIdentities": ["ca.example"]})).await;
        assert_eq!(told.unwrap().map(|refusal| refusal.reason), Some(reason::CAA_FORBIDS));
        assert_eq!(seconds, 0);
    }
}
