//! Performs one step of an order. What the next process needs is stored before anything is done with it.

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use super::decide::{Shown, Sight, Step};
use super::stored::{Account, OrderRecord, Renewal, Stored};
use super::{GLANCE, Keeper, Visit};
use crate::control::base_domain::BaseDomain;
use crate::control::base_domain::keep::{SECRET, load};
use crate::control::context::Context;
use crate::domains::DomainError;
use crate::domains::acme::{
    self, AcmeError, Credentials, Method, Order, Proof, Stage, certificate_request, new_key,
};
use crate::domains::certificate::Certificate;
use crate::domains::dns::{self, Provider, Text};

impl Keeper {
    pub(super) async fn perform(
        &self,
        ctx: &Context,
        base: &BaseDomain,
        step: &Step,
        stored: &mut Stored,
        visit: &mut Visit,
    ) -> Result<(), AcmeError> {
        match step {
            Step::Register => self.register(stored).await?,
            Step::AskRenewal => self.ask_renewal(ctx.clock.now(), base, stored).await?,
            Step::Begin => return self.begin(base, stored, visit).await,
            Step::Look | Step::Glance => return self.look(stored, visit).await,
            Step::Publish(texts) => return self.publish(base, texts, stored, visit).await,
            Step::Watch(texts) => return self.watch(texts, visit).await,
            Step::Answer => {
                self.order(stored, visit).await?.answer(Method::Dns).await?;
                visit.seen.order = None;
                return Ok(());
            }
            Step::Finalize => return self.finalize(stored, visit).await,
            Step::Collect => self.collect(ctx, base, stored, visit).await?,
            Step::Abandon(why) => {
                stored.order = None;
                *visit = Visit::default();
                let message = format!("{why} It is tried again, ever more slowly.");
                return Err(DomainError::certificate_refused(message).into());
            }
            Step::Clean => self.clean(base, stored).await?,
            Step::Rest => return Ok(()),
        }
        self.write(stored).await
    }

    async fn write(&self, stored: &Stored) -> Result<(), AcmeError> {
        self.store.write(stored).await.map_err(|error| unwritten(&error))
    }

    async fn register(&self, stored: &mut Stored) -> Result<(), AcmeError> {
        let credentials = self.authority.register().await?.to_secret().expose_secret().to_owned();
        stored.account = Some(Account { directory: self.authority.directory().to_owned(), credentials });
        stored.renewal = None;
        Ok(())
    }

    fn account(&self, stored: &Stored) -> Result<acme::Account, AcmeError> {
        let account = stored.account.as_ref().ok_or_else(AcmeError::account_unknown)?;
        let credentials = Credentials::parse(&account.credentials.clone().into())?;
        Ok(self.authority.account(credentials))
    }

    /// The order under way: the one that this visit holds, or else the one that is stored.
    async fn order<'v>(&self, stored: &Stored, visit: &'v mut Visit) -> Result<&'v mut Order, AcmeError> {
        let order = match visit.order.take() {
            Some(order) => order,
            None => self.account(stored)?.resume(&url(stored)?).await?,
        };
        Ok(visit.order.insert(order))
    }

    /// Asks where the order stands; taking it up again tells it too.
    async fn look(&self, stored: &Stored, visit: &mut Visit) -> Result<(), AcmeError> {
        let order = match visit.order.as_mut() {
            Some(order) => {
                order.poll().await?;
                order
            }
            None => self.order(stored, visit).await?,
        };
        visit.seen.order = Some(sight(order).await?);
        Ok(())
    }

    async fn ask_renewal(
        &self,
        now: Timestamp,
        base: &BaseDomain,
        stored: &mut Stored,
    ) -> Result<(), AcmeError> {
        let suggestion = match base.certificate() {
            Some(certificate) => self.authority.suggestion(&certificate).await.ok().flatten(),
            None => None,
        };
        let drawn = stored.renewal.and_then(|renewal| renewal.at);
        let at = suggestion.map(|suggestion| suggestion.window.moment(drawn, &mut rand::rng()));
        stored.renewal = Some(Renewal { at, asked: now });
        Ok(())
    }

    /// The order and the key that it is for are stored before either is used.
    async fn begin(
        &self,
        base: &BaseDomain,
        stored: &mut Stored,
        visit: &mut Visit,
    ) -> Result<(), AcmeError> {
        let key = new_key()?;
        let standing = base.certificate();
        let order = self.account(stored)?.order(&self.names, standing.as_deref()).await?;
        stored.order = Some(OrderRecord { url: order.url().to_owned(), key: key.expose_secret().to_owned() });
        self.write(stored).await?;
        let order = visit.order.insert(order);
        visit.seen.order = Some(sight(order).await?);
        Ok(())
    }

    /// Texts are stored before they are set, so that whoever comes after a crash removes them.
    async fn publish(
        &self,
        base: &BaseDomain,
        texts: &[Text],
        stored: &mut Stored,
        visit: &mut Visit,
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
        visit.seen.texts = Shown::NotYet;
        Ok(())
    }

    async fn watch(&self, texts: &[Text], visit: &mut Visit) -> Result<(), AcmeError> {
        match self.sight.shows(texts).await? {
            dns::Sight::Everywhere => visit.seen.texts = Shown::Everywhere,
            dns::Sight::NotAt(server) => {
                tracing::debug!(server, "a text doesn't show yet");
                tokio::time::sleep(GLANCE).await;
            }
        }
        Ok(())
    }

    async fn finalize(&self, stored: &Stored, visit: &mut Visit) -> Result<(), AcmeError> {
        let request = certificate_request(&self.names, &key(stored)?)?;
        let order = self.order(stored, visit).await?;
        order.finalize(&request).await?;
        visit.seen.order = Some(sight(order).await?);
        Ok(())
    }

    async fn collect(
        &self,
        ctx: &Context,
        base: &BaseDomain,
        stored: &mut Stored,
        visit: &mut Visit,
    ) -> Result<(), AcmeError> {
        let key = key(stored)?;
        let chain = self.order(stored, visit).await?.download().await?;
        *visit = Visit::default();
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

/// Where the order stands, with the texts that are left to be shown.
async fn sight(order: &mut Order) -> Result<Sight, AcmeError> {
    Ok(match order.stage().clone() {
        Stage::Pending => {
            let challenges = order.challenges(Method::Dns).await?;
            Sight::Pending(challenges.into_iter().filter_map(|challenge| text(challenge.proof)).collect())
        }
        Stage::Ready => Sight::Ready,
        Stage::Processing => Sight::Processing,
        Stage::Valid => Sight::Valid,
        Stage::Invalid(why) => Sight::Invalid(why.to_string()),
    })
}

fn text(proof: Proof) -> Option<Text> {
    match proof {
        Proof::Dns(text) => Some(text),
        Proof::Http { .. } => None,
    }
}

fn provider(base: &BaseDomain) -> Result<&dyn Provider, AcmeError> {
    base.provider().ok_or_else(|| DomainError::dns_refused("No DNS provider is configured.").into())
}

fn url(stored: &Stored) -> Result<String, AcmeError> {
    stored.order.as_ref().map(|order| order.url.clone()).ok_or_else(AcmeError::order_unknown)
}

fn key(stored: &Stored) -> Result<SecretString, AcmeError> {
    stored
        .order
        .as_ref()
        .map(|order| SecretString::from(order.key.clone()))
        .ok_or_else(AcmeError::order_unknown)
}

fn unwritten(error: &kube::Error) -> AcmeError {
    tracing::debug!(%error, "the state of the certificate's order can't be written");
    DomainError::authority_unavailable(
        "The API server doesn't take what has to be stored; it is tried again.",
    )
    .into()
}
