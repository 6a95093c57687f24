//! Performs the steps of an order for a certificate. What the next process needs is stored before anything is done with
//! it.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::authority::Acme;
use super::certificate::{CopyFact, Glance, OrderFact, Proof, Shown, Stored, StoredOrder};
use super::counting::{self, Counting, record};
use super::facts::{Advice, Count, Dropped, Facts, Renewal};
use super::failing::Issued;
use super::records::text_target;
use super::{answers, copy, failing, ordering, store};
use crate::api::NameClaim;
use crate::api::custom_domain::Challenge;
use crate::control::context::Context;
use crate::control::runtime::facts::Refusal;
use crate::control::runtime::trouble::Failure;
use crate::domains::DomainError;
use crate::domains::acme::{self, Account, AcmeError, Method, Order, Stage, certificate_request, new_key};
use crate::domains::budget::Kind;
use crate::domains::certificate::Certificate;
use crate::domains::dns::Text;
use crate::domains::name::Hostname;

/// Pause before an authority is asked again that names none.
const GLANCE: Duration = Duration::from_secs(1);
/// The longest pause between two questions about an order.
const PATIENCE: Duration = Duration::from_mins(5);
/// The longest pause between two questions about a renewal.
const LONGEST: Duration = Duration::from_hours(24);

/// Places an order, and stores it with the key that the certificate is for and what it wants to be shown.
pub(super) async fn begin(ctx: &Context, now: Timestamp, facts: &mut Facts) -> Result<(), Failure> {
    let (Some(acme), Ok(host)) = (&ctx.acme, facts.host.clone()) else { return Ok(()) };
    let mut order = match placed(ctx, acme, &host, facts).await {
        Ok(order) => order,
        Err(error) => return failing::unplaced(ctx, now, facts, &error).await,
    };
    let count = count_of(facts, &mut order);
    let proofs = proofs(&mut order, method(facts)).await;
    let key = new_key().map_err(|error| failing::failed(&error.into()))?;
    let name = text_name(facts);
    let stored = facts.known.stored.get_or_insert_default();
    stored.order = Some(StoredOrder { url: order.url().to_owned(), key, count });
    stored.keep(proofs.as_deref().unwrap_or_default(), name.as_deref());
    keep(ctx, facts).await?;
    facts.known.order = None;
    facts.known.shown = Shown::NotSet;
    match proofs {
        Ok(proofs) => {
            facts.known.order = Some(seen(now, &order, Some(proofs)));
            acme.put(&key_of(&host), order);
            Ok(())
        }
        // It is taken up again by its address, and asked for them then.
        Err(error) => failing::setback(ctx, now, facts, &error, Issued::No).await,
    }
}

/// How an order is counted that was placed. One that was to renew a certificate, and that the authority took as any other,
/// is counted before its certificate is asked for; the next for this certificate before it is placed.
fn count_of(facts: &mut Facts, order: &mut Order) -> Option<Count> {
    let count = facts.known.counted.take()?;
    if count.kind != Kind::KnownRenewal {
        return Some(count);
    }
    if !order.is_renewal() {
        let stored = facts.known.stored.as_ref().and_then(|stored| stored.certificate.as_ref());
        facts.known.plain = stored.map(|certificate| certificate.fingerprint.clone());
    }
    None
}

async fn placed(ctx: &Context, acme: &Acme, host: &Hostname, facts: &Facts) -> Result<Order, AcmeError> {
    let renews = facts.known.stored.as_ref().and_then(|stored| stored.certificate.clone());
    let account = acme.account(ctx).await?;
    match account.order(&[host.as_str().to_owned()], renews.as_deref()).await {
        Ok(order) => Ok(order),
        Err(error) => Err(acme.judged(ctx, &account.mark(), error).await),
    }
}

/// Asks where the order stands.
pub(super) async fn look(ctx: &Context, now: Timestamp, facts: &mut Facts) -> Result<(), Failure> {
    let (Some(acme), Ok(host)) = (&ctx.acme, facts.host.clone()) else { return Ok(()) };
    match looked(ctx, acme, &host, facts).await {
        Ok((order, proofs)) => {
            if proofs.is_some() {
                // They are others since the account has another key, or another challenge is declared.
                facts.known.shown = Shown::NotSet;
            }
            facts.known.order = Some(seen(now, &order, proofs));
            acme.put(&key_of(&host), order);
            Ok(())
        }
        Err(error) => {
            let issued = Issued::of(facts.known.order.as_ref());
            failing::setback(ctx, now, facts, &error, issued).await
        }
    }
}

async fn looked(
    ctx: &Context,
    acme: &Acme,
    host: &Hostname,
    facts: &Facts,
) -> Result<(Order, Option<Vec<Proof>>), AcmeError> {
    let Some(stored) = facts.known.stored.as_ref().and_then(|stored| stored.order.as_ref()) else {
        return Err(AcmeError::order_unknown());
    };
    // What it asked for isn't what it is to be answered with now: it is taken up again.
    let is_unanswered = matches!(facts.known.order, Some(OrderFact::Proofs(_)));
    let kept = acme.take(&key_of(host)).filter(|order| order.url() == stored.url && !is_unanswered);
    if let Some(mut order) = kept {
        return match order.poll().await {
            Ok(_) => Ok((order, None)),
            Err(error) => Err(acme.judged(ctx, order.mark(), error).await),
        };
    }
    let account = acme.account(ctx).await?;
    match resumed(&account, &stored.url, method(facts)).await {
        Ok(order) => Ok(order),
        Err(error) => Err(acme.judged(ctx, &account.mark(), error).await),
    }
}

/// The order at this address, with what it asks for.
async fn resumed(
    account: &Account,
    url: &str,
    method: Method,
) -> Result<(Order, Option<Vec<Proof>>), AcmeError> {
    let mut order = account.resume(url).await?;
    let pending = *order.stage() == Stage::Pending;
    let proofs = if pending { Some(proofs(&mut order, method).await?) } else { None };
    // None left: all were answered before.
    Ok((order, proofs.filter(|proofs| !proofs.is_empty())))
}

async fn proofs(order: &mut Order, method: Method) -> Result<Vec<Proof>, AcmeError> {
    let all = order.challenges(method).await?;
    Ok(all
        .into_iter()
        .map(|challenge| match challenge.proof {
            acme::Proof::Dns(text) => Proof::Text(text.value),
            acme::Proof::Http { token, key_authorization } => Proof::Answer(token, key_authorization),
        })
        .collect())
}

/// Where an order stands, with what has to be shown for it.
fn seen(now: Timestamp, order: &Order, proofs: Option<Vec<Proof>>) -> OrderFact {
    match (order.stage(), proofs) {
        (Stage::Pending, Some(proofs)) => OrderFact::Proofs(proofs),
        (Stage::Pending | Stage::Processing, _) => OrderFact::Working(later(now, order.pause(), PATIENCE)),
        (Stage::Ready, _) => OrderFact::Ready,
        (Stage::Valid, _) => OrderFact::Valid,
        (Stage::Invalid(error), _) => OrderFact::Failed(error.clone()),
    }
}

fn later(now: Timestamp, pause: Option<Duration>, longest: Duration) -> Timestamp {
    let pause = pause.unwrap_or(GLANCE).clamp(Duration::from_millis(250), longest);
    now.saturating_add(SignedDuration::try_from(pause).unwrap_or_default()).unwrap_or(now)
}

/// Stores what has to be shown, unless it is, then shows it.
pub(super) async fn show(
    ctx: &Context,
    now: Timestamp,
    facts: &mut Facts,
    proofs: &[Proof],
) -> Result<(), Failure> {
    let name = text_name(facts);
    if facts.known.stored.get_or_insert_default().keep(proofs, name.as_deref()) == News::Some {
        keep(ctx, facts).await?;
    }
    let mut shown = Shown::Everywhere;
    let replies: Vec<(String, String)> = proofs
        .iter()
        .filter_map(|proof| match proof {
            Proof::Answer(token, answer) => Some((token.clone(), answer.clone())),
            Proof::Text(_) => None,
        })
        .collect();
    if !replies.is_empty() {
        answers::add(&ctx.kube, &ctx.config.namespace, &replies).await?;
    }
    for text in texts(proofs, name.as_deref()) {
        if let Some(provider) = ctx.base_domain.as_ref().and_then(|base| base.provider()) {
            provider.add_text(&text).await?;
            // It is looked for at once.
            let at = now.saturating_sub(SignedDuration::from_secs(1)).unwrap_or(now);
            shown = Shown::NotYet(Glance { at, looks: 0 });
        }
    }
    facts.known.shown = shown;
    Ok(())
}

/// Tells the authority that everything shows.
pub(super) async fn answer(ctx: &Context, now: Timestamp, facts: &mut Facts) -> Result<(), Failure> {
    let method = method(facts);
    with_order(ctx, now, facts, async |order| {
        order.answer(method).await?;
        Ok(OrderFact::Working(later(now, None, PATIENCE)))
    })
    .await
}

/// Sends the certificate request, once the certificate is counted.
pub(super) async fn finalize(ctx: &Context, now: Timestamp, facts: &mut Facts) -> Result<(), Failure> {
    let (Ok(host), Some(stored)) = (&facts.host, &facts.known.stored) else { return Ok(()) };
    let Some(order) = &stored.order else { return Ok(()) };
    let request = certificate_request(&[host.as_str().to_owned()], &order.key)
        .map_err(|error| failing::failed(&error.into()))?;
    if is_uncounted(ctx, facts) {
        return count_plain(ctx, now, facts).await;
    }
    let done = with_order(ctx, now, facts, async |order| {
        order.finalize(&request).await?;
        Ok(seen(now, order, None))
    })
    .await;
    if done.is_err() {
        // It may have been taken, with the answer lost.
        facts.known.order = None;
    }
    done
}

/// Whether its certificate counts, and isn't counted: the authority doesn't take it as a renewal.
fn is_uncounted(ctx: &Context, facts: &Facts) -> bool {
    let (Some(acme), Ok(host)) = (&ctx.acme, &facts.host) else { return false };
    let stored = facts.known.stored.as_ref().and_then(|stored| stored.order.as_ref());
    if stored.is_none_or(|order| order.count.is_some()) {
        return false;
    }
    let key = key_of(host);
    let Some(mut order) = acme.take(&key) else { return false };
    let is_renewal = order.is_renewal();
    acme.put(&key, order);
    !is_renewal
}

/// Counts the order under way, and stores that; where there is no room for it, it waits.
async fn count_plain(ctx: &Context, now: Timestamp, facts: &mut Facts) -> Result<(), Failure> {
    match counting::count_plain(ctx, now, facts).await? {
        Counting::Done(count) => {
            if let Some(order) = facts.known.stored.as_mut().and_then(|stored| stored.order.as_mut()) {
                order.count = Some(count);
            }
            keep(ctx, facts).await
        }
        Counting::NotBefore(at, budget) => {
            failing::hold(ctx, facts, at.min(later(now, Some(LONGEST), LONGEST)), ordering::used_up(budget));
            Ok(())
        }
        Counting::Overtaken => Ok(()),
    }
}

/// Fetches the certificate, and stores it in the place of the order.
pub(super) async fn collect(ctx: &Context, now: Timestamp, facts: &mut Facts) -> Result<(), Failure> {
    let (Some(acme), Ok(host)) = (&ctx.acme, facts.host.clone()) else { return Ok(()) };
    let mut chain = None;
    with_order(ctx, now, facts, async |order| {
        chain = Some(order.download().await?);
        Ok(OrderFact::Valid)
    })
    .await?;
    let Some(chain) = chain else { return Ok(()) };
    let Some(order) = facts.known.stored.as_ref().and_then(|stored| stored.order.as_ref()) else {
        return Ok(());
    };
    let usable = Certificate::read(&chain, order.key.clone())
        .and_then(|certificate| certificate.check(now, &[host.as_str().to_owned()]).map(|()| certificate));
    let certificate = match usable {
        Ok(certificate) => certificate,
        // It stays the order under way until that is recorded: another process finds it as this one does.
        Err(error) => {
            let error = DomainError::certificate_refused(format!(
                "The certificate authority's certificate can't be used: {error}. Another is ordered after a pause; if this goes on, tell the authority's operator."
            ));
            return failing::abandon(ctx, now, facts, &error.into(), Issued::Perhaps).await;
        }
    };
    // As long as it is the order under way this can be repeated.
    succeeded(ctx, facts).await?;
    let stored = facts.known.stored.get_or_insert_default();
    stored.order = None;
    stored.certificate = Some(Arc::new(certificate));
    // What was said of the one before says nothing of this one.
    facts.known.renewal = None;
    keep(ctx, facts).await?;
    acme.take(&key_of(&host));
    facts.known.order = None;
    facts.known.shown = Shown::NotSet;
    Ok(())
}

async fn succeeded(ctx: &Context, facts: &Facts) -> Result<(), Failure> {
    let ordering = facts.record().and_then(|record| record.ordering.as_ref());
    if ordering.is_none_or(|ordering| ordering.failures == 0) {
        return Ok(());
    }
    record(ctx, facts, &ordering::succeeded(ordering)).await
}

/// Copies the certificate into the namespace's Secret. A failure is noted, and holds nothing else up: neither the
/// certificate's service nor its renewal depends on a copy.
pub(super) async fn copy(ctx: &Context, now: Timestamp, facts: &mut Facts) {
    let stored = facts.known.stored.as_ref();
    let Some(certificate) = stored.and_then(|stored| stored.certificate.clone()) else { return };
    let written = copy::write(ctx, &facts.domain, &certificate).await;
    facts.known.copy = Some(match written {
        Ok(()) => CopyFact::Of(certificate.fingerprint.clone()),
        Err(failure) => uncopied(now, facts, failure),
    });
}

/// Looks whether the namespace's Secret holds the certificate.
pub(super) async fn look_at_copy(ctx: &Context, now: Timestamp, facts: &mut Facts) {
    let stored = facts.known.stored.as_ref();
    let Some(certificate) = stored.and_then(|stored| stored.certificate.clone()) else { return };
    let found = copy::read(ctx, &facts.domain, &certificate).await;
    facts.known.copy = Some(found.unwrap_or_else(|failure| uncopied(now, facts, failure)));
}

fn uncopied(now: Timestamp, facts: &Facts, failure: Failure) -> CopyFact {
    let again = now.saturating_add(facts.cluster.settings.slow_retry).unwrap_or(now);
    CopyFact::Failed(again, Refusal::new(failure.reason, failure.message))
}

/// Takes away what was shown.
pub(super) async fn clean(ctx: &Context, facts: &mut Facts) -> Result<(), Failure> {
    let Some(stored) = facts.known.stored.as_mut() else { return Ok(()) };
    if let Some(provider) = ctx.base_domain.as_ref().and_then(|base| base.provider()) {
        for text in &stored.texts {
            provider.remove_text(text).await?;
        }
    }
    if !stored.answers.is_empty() {
        answers::remove(&ctx.kube, &ctx.config.namespace, &stored.answers).await?;
    }
    stored.texts.clear();
    stored.answers.clear();
    // An order that is under way still is taken up anew, and is shown its proofs again.
    facts.known.order = None;
    facts.known.shown = Shown::NotSet;
    if let (Ok(host), Some(acme)) = (&facts.host, &ctx.acme) {
        acme.take(&key_of(host));
    }
    keep(ctx, facts).await
}

/// Stores what is known, for the next process. If that fails, what is stored may be the one or the other: it is read
/// again, and the order is taken up from there.
pub(super) async fn keep(ctx: &Context, facts: &mut Facts) -> Result<(), Failure> {
    let (Ok(host), Some(stored)) = (&facts.host, facts.known.stored.as_mut()) else { return Ok(()) };
    let written = store::write(ctx, host, stored).await;
    if written.is_err() {
        facts.known.stored = None;
        facts.known.order = None;
        facts.known.shown = Shown::NotSet;
        if let Some(acme) = &ctx.acme {
            acme.take(&key_of(host));
        }
    }
    Ok(written?)
}

/// Removes what the operator keeps for ordering.
pub(super) async fn drop_stored(ctx: &Context, facts: &mut Facts) -> Result<(), Failure> {
    let Ok(host) = &facts.host else { return Ok(()) };
    store::remove(ctx, host).await?;
    facts.known.stored = Some(Stored::default());
    facts.known.deeds.dropped = Dropped::Yes;
    if let Some(acme) = &ctx.acme {
        acme.take(&key_of(host));
    }
    Ok(())
}

/// Asks the authority whether it wants the certificate renewed earlier. Its silence holds nothing up.
pub(super) async fn renewal(ctx: &Context, now: Timestamp, facts: &mut Facts) -> Result<(), Failure> {
    let drawn = facts.record().and_then(|record| record.certificate.as_ref()?.renewal_time);
    let certificate = facts.known.stored.as_ref().and_then(|stored| stored.certificate.clone());
    let (Some(acme), Some(certificate)) = (&ctx.acme, certificate) else { return Ok(()) };
    let (advice, pause) = match acme.authority().suggestion(&certificate).await {
        Ok(Some(suggestion)) => {
            let at = suggestion.window.moment(drawn, &mut rand::rng());
            (Advice::At(at), Some(suggestion.ask_again))
        }
        Ok(None) => (Advice::Nothing, None),
        Err(error) => {
            tracing::debug!(%error, "the authority can't be asked about a renewal; it is later");
            (Advice::Unheard, Some(Duration::from_hours(1)))
        }
    };
    let pause = acme.renewal_pause().or(pause).unwrap_or(Duration::from_hours(24));
    facts.known.renewal = Some(Renewal { again: later(now, Some(pause), LONGEST), advice });
    Ok(())
}

/// Does something with the order that is under way; taken up again if this process doesn't have it.
async fn with_order(
    ctx: &Context,
    now: Timestamp,
    facts: &mut Facts,
    work: impl AsyncFnOnce(&mut Order) -> Result<OrderFact, AcmeError>,
) -> Result<(), Failure> {
    let (Some(acme), Ok(host)) = (&ctx.acme, facts.host.clone()) else { return Ok(()) };
    let key = key_of(&host);
    let Some(mut order) = acme.take(&key) else {
        facts.known.order = None;
        return Ok(());
    };
    let done = work(&mut order).await;
    match done {
        Ok(fact) => {
            facts.known.order = Some(fact);
            acme.put(&key, order);
            Ok(())
        }
        Err(error) => {
            let error = acme.judged(ctx, order.mark(), error).await;
            acme.put(&key, order);
            let issued = Issued::of(facts.known.order.as_ref());
            failing::setback(ctx, now, facts, &error, issued).await
        }
    }
}

fn method(facts: &Facts) -> Method {
    match facts.challenge() {
        Challenge::Dns01 => Method::Dns,
        Challenge::Http01 => Method::Http,
    }
}

/// The name in the platform's zone under which texts stand: those of an order under way stay where they were begun.
fn text_name(facts: &Facts) -> Option<String> {
    let begun = facts.known.stored.as_ref().and_then(|stored| stored.texts.first());
    begun.map(|text| text.name.clone()).or_else(|| text_target(facts))
}

fn texts<'p>(proofs: &'p [Proof], name: Option<&'p str>) -> impl Iterator<Item = Text> + 'p {
    proofs.iter().filter_map(move |proof| match proof {
        Proof::Text(value) => Some(Text { name: name?.to_owned(), value: value.clone() }),
        Proof::Answer(..) => None,
    })
}

/// The order's name in memory.
pub(super) fn key_of(host: &Hostname) -> String {
    NameClaim::hostname_key(host.as_str())
}

/// Whether something was new.
#[derive(Clone, Copy, PartialEq, Eq)]
enum News {
    /// It was.
    Some,
    /// It wasn't.
    None,
}

impl Stored {
    /// Adds what is to be shown.
    fn keep(&mut self, proofs: &[Proof], name: Option<&str>) -> News {
        let before = self.texts.len() + self.answers.len();
        for text in texts(proofs, name) {
            if !self.texts.contains(&text) {
                self.texts.push(text);
            }
        }
        for proof in proofs {
            if let Proof::Answer(token, _) = proof
                && !self.answers.contains(token)
            {
                self.answers.push(token.clone());
            }
        }
        if before == self.texts.len() + self.answers.len() { News::None } else { News::Some }
    }
}

#[cfg(test)]
#[path = "ordered_tests.rs"]
mod tests;
