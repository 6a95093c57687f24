//! Orders the wildcard certificate and renews it: observe, decide, act, record. What has to survive is in a Secret of
//! the operator's own namespace.

mod act;
pub mod decide;
pub mod stored;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::BaseDomain;
use crate::api::reason;
use crate::control::context::Context;
use crate::domains::acme::{AcmeError, Authority, Cause, Order};
use crate::domains::certificate::Certificate;
use crate::domains::secret::Secrets;
use crate::domains::{DomainError, dns};
use crate::engine::config::Mode;
use crate::engine::config::base_domain::Acme;
use decide::{Facts, Seen, Step, decide};
use stored::{Store, Stored};

/// Pause between two looks at an order that the authority works on.
const GLANCE: Duration = Duration::from_millis(500);
/// Longest such pause, whatever the authority asks for.
const LONGEST_GLANCE: Duration = Duration::from_secs(30);
/// Most steps at a time, so that a fault can't turn into a hot loop.
const MAX_STEPS: usize = 400;

/// What is known of the order under way until all is done that can be done now.
#[derive(Default)]
struct Visit {
    seen: Seen,
    order: Option<Order>,
}

impl Visit {
    /// The pause before the order is looked at again.
    fn pause(&self) -> Duration {
        let asked = self.order.as_ref().and_then(Order::pause).unwrap_or_default();
        asked.clamp(GLANCE, LONGEST_GLANCE)
    }
}

/// Keeps the certificate ordered.
pub struct Keeper {
    authority: Authority,
    sight: dns::Authority,
    store: Store,
    names: Vec<String>,
}

impl Keeper {
    /// With the authority that is configured.
    ///
    /// # Errors
    /// If its own authority can't be read.
    pub fn new(ctx: &Context, base: &BaseDomain, acme: &Acme) -> Result<Self, DomainError> {
        let settings = base.settings();
        let secrets = Secrets::new(ctx.kube.clone(), &ctx.config.namespace);
        Ok(Self {
            authority: Authority::new(acme.clone(), secrets)?,
            sight: dns::Authority::new(&settings.name, &settings.name_servers),
            store: Store::new(ctx.kube.clone(), &ctx.config.namespace),
            names: vec![settings.wildcard(), settings.name.clone()],
        })
    }

    /// Goes as far as it can get now.
    ///
    /// # Errors
    /// What keeps it from going on, in a sentence for people.
    pub async fn go_on(&self, ctx: &Context, base: &BaseDomain) -> Result<(), String> {
        let mut stored = self.store.read().await.map_err(|error| error.to_string())?;
        let mut visit = Visit::default();
        for _ in 0..MAX_STEPS {
            if ctx.config.mode == Mode::ReadOnly || !ctx.leadership.is_current() {
                return Ok(());
            }
            let now = ctx.clock.now();
            let certificate = base.certificate();
            let facts = Facts {
                directory: self.authority.directory(),
                stored: &stored,
                seen: &visit.seen,
                renewal: certificate.as_deref().map(Certificate::renewal),
            };
            let step = decide(now, &facts);
            tracing::debug!(?step, "the base domain's certificate");
            match step {
                Step::Rest => return stored.problem.map_or(Ok(()), Err),
                Step::Glance => tokio::time::sleep(visit.pause()).await,
                _ => {}
            }
            let done = self.perform(ctx, base, &step, &mut stored, &mut visit).await;
            if let Err(error) = done {
                visit = Visit::default();
                note(now, &mut stored, error);
                self.store.write(&stored).await.map_err(|error| error.to_string())?;
            }
        }
        Ok(())
    }
}

/// Notes a failure with the pause before the next try. An authority that has forgotten us is met anew at once.
fn note(now: Timestamp, stored: &mut Stored, error: AcmeError) {
    let AcmeError { cause, error } = error;
    match cause {
        Cause::AccountUnknown => {
            *stored = Stored { texts: std::mem::take(&mut stored.texts), ..Stored::default() };
            return;
        }
        Cause::OrderUnknown => {
            stored.order = None;
            return;
        }
        _ => {}
    }
    tracing::warn!(
        reason = error.reason,
        message = error.message,
        "the base domain's certificate isn't renewed"
    );
    let pause = pause(stored.failures, &error);
    stored.failures = stored.failures.saturating_add(1);
    stored.next_try = now.saturating_add(pause).ok();
    stored.problem = Some(error.message);
}

/// What the authority refuses is asked again after 1, 10 and 100 minutes, then daily: it counts refusals. The rest is
/// tried again sooner.
fn pause(failures: u32, error: &DomainError) -> SignedDuration {
    let own = match error.reason {
        reason::CERTIFICATE_REFUSED => {
            SignedDuration::from_mins(10_i64.pow(failures.min(4))).min(SignedDuration::from_hours(24))
        }
        _ => SignedDuration::from_secs(3 << failures.min(9)),
    };
    let asked = error.retry_after.and_then(|asked| SignedDuration::try_from(asked).ok()).unwrap_or_default();
    own.max(asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_repeated_ever_more_slowly_and_what_passes_soon() {
        let refused = DomainError::certificate_refused("no");
        let minutes: Vec<i64> = (0..5).map(|failures| pause(failures, &refused).as_mins()).collect();
        assert_eq!(minutes, [1, 10, 100, 1000, 1440]);
        let passing = DomainError::authority_unavailable("later");
        assert_eq!(pause(0, &passing).as_secs(), 3);
        assert!(pause(60, &passing) < SignedDuration::from_hours(1));
        let asked = passing.retry_after(Some(Duration::from_hours(2)));
        assert_eq!(pause(0, &asked).as_hours(), 2, "what the authority asks for is kept");
    }

    #[test]
    fn an_authority_that_has_forgotten_us_is_met_anew_and_texts_are_not_forgotten() {
        let text =
            crate::domains::dns::Text { name: "_acme-challenge.example.dev".into(), value: "x".into() };
        let mut stored = Stored { texts: vec![text.clone()], failures: 3, ..Stored::default() };
        note(Timestamp::UNIX_EPOCH, &mut stored, AcmeError::account_unknown());
        assert_eq!(stored, Stored { texts: vec![text], ..Stored::default() });
    }
}
