//! Performs one step of an order. What the next process needs is stored before anything is done with it.

use jiff::{SignedDuration, Timestamp};
use rand::Rng;
use secrecy::{ExposeSecret, SecretString};

use super::decide::{Seen, Shown, Step};
use super::stored::{Account, OrderRecord, Renewal, Stored};
use super::{GLANCE, Keeper};
use crate::control::base_domain::BaseDomain;
use crate::control::base_domain::keep::{SECRET, load};
use crate::control::context::Context;
use crate::domains::DomainError;
use crate::domains::acme::{AcmeError, Window, certificate_request, new_key};
use crate::domains::certificate::Certificate;
use crate::domains::dns::{self, Provider, Text};

impl Keeper {
    pub(super) async fn perform(
        &self,
        ctx: &Context,
        base: &BaseDomain,
        step: &Step,
        stored: &mut Stored,
        seen: &mut Seen,
    ) -> Result<(), AcmeError> {
        match step {
            Step::Register => self.register(stored).await?,
            Step::AskRenewal => self.ask_renewal(ctx.clock.now(), base, stored).await?,
            Step::Begin => self.begin(base, stored).await?,
            Step::Look | Step::Glance => {
                let (account, url) = (self.account(stored).await?, url(stored)?);
                seen.order = Some(self.authority.at(&account, &url).look().await?);
                return Ok(());
            }
            Step::Publish(texts) => self.publish(base, texts, stored, seen).await?,
            Step::Watch(texts) => {
                self.watch(texts, seen).await?;
                return Ok(());
            }
            Step::Answer => {
                let (account, url) = (self.account(stored).await?, url(stored)?);
                self.authority.at(&account, &url).answer().await?;
                seen.order = None;
                return Ok(());
            }
            Step::Finalize => self.finalize(stored).await?,
            Step::Collect => self.collect(ctx, base, stored).await?,
            Step::Abandon(why) => {
                stored.order = None;
                let message = format!(
                    "The certificate authority gave the order up: {why}. It is tried again, ever more slowly."
                );
                seen.texts = Shown::NotSet;
                seen.order = None;
                return Err(DomainError::certificate_refused(message).into());
            }
            Step::Clean => self.clean(base, stored).await?,
            Step::Rest => return Ok(()),
        }
        if !matches!(step, Step::Publish(_)) {
            seen.order = None;
        }
        self.write(stored).await
    }

    async fn write(&self, stored: &Stored) -> Result<(), AcmeError> {
        self.store.write(stored).await.map_err(|error| unwritten(&error))
    }

    async fn register(&self, stored: &mut Stored) -> Result<(), AcmeError> {
        let credentials = self.authority.register().await?;
        stored.account = Some(Account { directory: self.authority.directory().to_owned(), credentials });
        stored.renewal = None;
        Ok(())
    }

    async fn account(&self, stored: &Stored) -> Result<instant_acme::Account, AcmeError> {
        let account = stored.account.as_ref().ok_or(AcmeError::AccountUnknown)?;
        self.authority.account(&account.credentials).await
    }

    async fn ask_renewal(
        &self,
        now: Timestamp,
        base: &BaseDomain,
        stored: &mut Stored,
    ) -> Result<(), AcmeError> {
        let account = self.account(stored).await?;
        let window = match base.certificate() {
            Some(certificate) => self.authority.window(&account, &certificate).await,
            None => None,
        };
        let drawn = stored.renewal.and_then(|renewal| renewal.at);
        let at = window.map(|window| moment(window, drawn));
        stored.renewal = Some(Renewal { at, asked: now });
        Ok(())
    }

    /// The order and the key that it is for are stored before either is used.
    async fn begin(&self, base: &BaseDomain, stored: &mut Stored) -> Result<(), AcmeError> {
        let account = self.account(stored).await?;
        let key = new_key()?;
        let standing = base.certificate();
        let url = self.authority.order(&account, &self.names, standing.as_deref()).await?;
        stored.order = Some(OrderRecord { url, key: key.expose_secret().to_owned() });
        Ok(())
    }

    /// Texts are stored before they are set, so that whoever comes after a crash removes them.
    async fn publish(
        &self,
        base: &BaseDomain,
        texts: &[Text],
        stored: &mut Stored,
        seen: &mut Seen,
    ) -> Result<(), AcmeError> {
        for text in texts {
            if !stored.texts.contains(text) {
                stored.texts.push(text.clone());
            }
        }
        self.write(stored).await?;
        for text in texts {
            provider(base)?.add_text(text).await?;
        }
        seen.texts = Shown::NotYet;
        Ok(())
    }

    async fn watch(&self, texts: &[Text], seen: &mut Seen) -> Result<(), AcmeError> {
        match self.sight.shows(texts).await? {
            dns::Sight::Everywhere => seen.texts = Shown::Everywhere,
            dns::Sight::NotAt(server) => {
                tracing::debug!(server, "a text doesn't show yet");
                tokio::time::sleep(GLANCE).await;
            }
        }
        Ok(())
    }

    async fn finalize(&self, stored: &Stored) -> Result<(), AcmeError> {
        let (account, url) = (self.account(stored).await?, url(stored)?);
        let request = certificate_request(&self.names, &key(stored)?)?;
        self.authority.at(&account, &url).finalize(&request).await
    }

    async fn collect(&self, ctx: &Context, base: &BaseDomain, stored: &mut Stored) -> Result<(), AcmeError> {
        let (account, url, key) = (self.account(stored).await?, url(stored)?, key(stored)?);
        let chain = self.authority.at(&account, &url).collect().await?;
        Certificate::read(&chain, key.clone()).map_err(|error| {
            DomainError::certificate_refused(format!("The certificate can't be used: {error}."))
        })?;
        let written = self.store.write_certificate(SECRET, &chain, key.expose_secret()).await;
        written.map_err(|error| unwritten(&error))?;
        *stored = Stored {
            account: stored.account.take(),
            texts: std::mem::take(&mut stored.texts),
            ..Stored::default()
        };
        load(ctx, base).await;
        ctx.triggers.runtimes.visit_all(&ctx.stores.runtimes, |_| true);
        Ok(())
    }

    async fn clean(&self, base: &BaseDomain, stored: &mut Stored) -> Result<(), AcmeError> {
        for text in &stored.texts {
            provider(base)?.remove_text(text).await?;
        }
        stored.texts.clear();
        Ok(())
    }
}

/// A moment that was drawn before stays, as long as it is within what the authority suggests now.
fn moment(window: Window, drawn: Option<Timestamp>) -> Timestamp {
    if let Some(drawn) = drawn.filter(|drawn| (window.start..=window.end).contains(drawn)) {
        return drawn;
    }
    let width = window.start.duration_until(window.end).as_secs().max(0);
    let after = SignedDuration::from_secs(rand::rng().random_range(0..=width));
    window.start.saturating_add(after).unwrap_or(window.end)
}

fn provider(base: &BaseDomain) -> Result<&dyn Provider, AcmeError> {
    base.provider().ok_or_else(|| DomainError::dns_refused("No DNS provider is configured.").into())
}

fn url(stored: &Stored) -> Result<String, AcmeError> {
    stored.order.as_ref().map(|order| order.url.clone()).ok_or(AcmeError::OrderUnknown)
}

fn key(stored: &Stored) -> Result<SecretString, AcmeError> {
    stored.order.as_ref().map(|order| SecretString::from(order.key.clone())).ok_or(AcmeError::OrderUnknown)
}

fn unwritten(error: &kube::Error) -> AcmeError {
    tracing::debug!(%error, "the state of the certificate's order can't be written");
    DomainError::authority_unavailable(
        "The API server doesn't take what has to be stored; it is tried again.",
    )
    .into()
}
