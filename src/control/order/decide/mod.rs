//! Decides the next step of an order. Pure: the time and every fact come in.

mod again;
mod change;
pub(super) mod checkout;
mod claim;
mod fulfil;
pub(super) mod receipts;
mod subscription;

use jiff::Timestamp;

use super::account::{Account, account};
use super::facts::Facts;
use super::standing::Recorded;
use super::step::{Effect, Rest, Step, Waiting};
use super::{portal, reading};
use crate::api::condition::{ConditionType, is_true};
use crate::api::order_record::OrderRecord;
use crate::api::payment_receipt::Provider;
use crate::api::reason;
use crate::api::runtime_order::FundingPhase;
use crate::billing::ProviderTruth;
use crate::control::policy::Suspension;
use crate::control::runtime::facts::{NamespaceFact, Refusal};
use crate::control::{hold, setback};
use crate::engine::config::Mode;

/// A stage: what it reached, or the step that has to come first.
type Reached<T> = Result<T, Step>;

/// The next step for the order.
pub fn decide(now: Timestamp, facts: &Facts) -> Step {
    let step = match retry_pause(now, facts) {
        Some(wait) => wait,
        None if facts.is_deleted() => destroy(now, facts),
        None => live(now, facts).unwrap_or_else(|step| step),
    };
    held(facts, step)
}

/// Every stage of an order that should be there, in order.
fn live(now: Timestamp, facts: &Facts) -> Reached<Step> {
    if facts.cluster.namespace == NamespaceFact::Terminating {
        return Err(Step::Wait(Waiting::Namespace));
    }
    if !facts.has_finalizer() {
        return Err(Step::Do(Effect::AddFinalizer));
    }
    let record = claim::held(facts)?;
    let Some((truth, account)) = read(now, facts, record)? else { return fulfil::ended(facts, record) };
    // What is paid has its receipt before it counts: a list that lags behind later is found out by it.
    receipts::stored(facts, record, &account)?;
    let phase = standing_recorded(now, facts, record, &account)?;
    subscription::recorded(record, &account, &truth)?;
    change::paid(record, &account)?;
    subscription::ended(now, record, &account, &truth, phase)?;
    match phase {
        FundingPhase::Unpaid => return offered(now, facts, record, &truth, &account),
        FundingPhase::Paid => {
            made(facts, record)?;
            change::settled(now, facts, record, &truth, &account)?;
        }
        FundingPhase::Refunded | FundingPhase::Ended => {
            checkout::closed(now, facts, record, &truth)?;
            change::withdrawn(now, facts, record, &truth)?;
        }
        FundingPhase::PastDue | FundingPhase::Suspended => change::put_off(now, facts, record, &truth)?,
    }
    portal::opened(now, facts, record)?;
    let again = |rest| again::offered(now, facts, record, (&truth, &account), rest);
    match phase {
        FundingPhase::Unpaid | FundingPhase::Paid => fulfil::fulfilled(facts, record),
        FundingPhase::PastDue => again(fulfil::fulfilled(facts, record)),
        FundingPhase::Suspended => again(fulfil::kept(facts, record, Rest::Suspended)),
        FundingPhase::Refunded => fulfil::kept(facts, record, Rest::Refunded),
        FundingPhase::Ended => fulfil::ended(facts, record),
    }
}

/// What was paid for is made before anything else is asked of the provider: a page that it doesn't close holds that up in
/// nothing.
fn made(facts: &Facts, record: &OrderRecord) -> Reached<()> {
    match fulfil::fulfilled(facts, record) {
        Err(step) if again::is_work(&step) => Err(step),
        _ => Ok(()),
    }
}

/// Deleting an order ends no funding that is paid: its claim stays, with what was paid. Nothing further is collected.
fn destroy(now: Timestamp, facts: &Facts) -> Step {
    match facts.record() {
        _ if !facts.has_finalizer() => Step::Rest(Rest::Gone),
        None => Step::Do(Effect::RemoveFinalizer),
        Some(record) => given_up(now, facts, record).err().unwrap_or(Step::Do(Effect::Release)),
    }
}

fn given_up(now: Timestamp, facts: &Facts, record: &OrderRecord) -> Reached<()> {
    let Some((truth, account)) = read(now, facts, record)? else { return Ok(()) };
    receipts::stored(facts, record, &account)?;
    standing_recorded(now, facts, record, &account)?;
    subscription::recorded(record, &account, &truth)?;
    change::paid(record, &account)?;
    checkout::closed(now, facts, record, &truth)?;
    change::withdrawn(now, facts, record, &truth)?;
    subscription::given_up(record, &account, &truth)
}

/// What is true of its payments, once the provider was asked.
fn read(now: Timestamp, facts: &Facts, record: &OrderRecord) -> Reached<Option<(ProviderTruth, Account)>> {
    checkout::outcome_recorded(facts, record)?;
    if reading::is_due(now, facts, record) {
        return Err(Step::ReadProvider);
    }
    match facts.truth() {
        Some(truth) => {
            let account = account(record, &truth);
            Ok(Some((truth, account)))
        }
        // It is read when its turn comes, and what is paid stays so meanwhile.
        None if record.phase == FundingPhase::Paid => Err(Step::Wait(Waiting::Turn)),
        None => Ok(None),
    }
}

/// Whether what it funds serves, and nobody asks for another Plan: by what is recorded nothing is to be done.
pub(super) fn is_served(facts: &Facts, record: &OrderRecord) -> bool {
    fulfil::fulfilled(facts, record) == Ok(Step::Rest(Rest::Fulfilled))
        && change::wish(facts, record).is_none()
}

/// The claim says where the funding stands: Runtimes read it there.
fn standing_recorded(
    now: Timestamp,
    facts: &Facts,
    record: &OrderRecord,
    account: &Account,
) -> Reached<FundingPhase> {
    let wanted = account.recorded(now, record, facts.cluster.settings.patience);
    if wanted == Recorded::of(record) {
        return Ok(wanted.phase);
    }
    if reading::is_fresh(now, facts, record) {
        return Err(Step::Do(Effect::RecordStanding(wanted)));
    }
    Err(Step::ReadProvider)
}

/// It can be paid, if what it buys could be had. What can't be had can't be paid any more.
fn offered(
    now: Timestamp,
    facts: &Facts,
    record: &OrderRecord,
    truth: &ProviderTruth,
    account: &Account,
) -> Reached<Step> {
    if let Err(step) = payable(facts) {
        if let Step::Rest(Rest::Refused(..)) = step {
            checkout::closed(now, facts, record, truth)?;
        }
        return Err(step);
    }
    match record.provider {
        Provider::Manual => Ok(Step::Rest(Rest::Awaiting(to_pay(record)))),
        Provider::Stripe | Provider::PayApp => {
            checkout::offered(now, facts, record, (truth, account), &record.price)
        }
    }
}

/// Nobody is asked to pay for what couldn't be had.
fn payable(facts: &Facts) -> Reached<()> {
    if facts.cluster.policy.suspension == Suspension::Suspended {
        return Err(refused(facts, suspended()));
    }
    if let Some(waits) = no_workspace(facts) {
        return Err(Step::Rest(Rest::Awaiting(waits)));
    }
    let limit = facts.cluster.policy.max_runtimes;
    if facts.cluster.runtime.is_none() && facts.cluster.slugs >= limit {
        return Err(refused(
            facts,
            Refusal::new(
                reason::RUNTIME_LIMIT_REACHED,
                format!(
                    "This namespace may hold {limit} Runtimes and holds as many. Delete one, or ask the platform for a higher limit; nothing is to be paid before."
                ),
            ),
        ));
    }
    fulfil::fundable(facts)?;
    facts.cluster.obstacle.as_ref().map_or(Ok(()), |why| Err(refused(facts, unobtainable(facts, why))))
}

fn suspended() -> Refusal {
    Refusal::new(
        reason::AWAITING_RESUME,
        "The platform has suspended this namespace. Ask the platform to resume it; nothing is to be paid before.",
    )
}

/// What an order asks for can't be changed, and what a declared Runtime does can.
fn unobtainable(facts: &Facts, why: &Refusal) -> Refusal {
    let way = if facts.order.spec.runtime.is_some() {
        "Nothing is to be paid before; an order can't be changed: place another, or declare the Runtime, and order it by `runtimeRef`."
    } else {
        "Nothing is to be paid before."
    };
    Refusal { message: format!("{} {way}", why.message), ..why.clone() }
}

/// What is missing of a Workspace with a member, in one word and a sentence.
pub fn no_workspace(facts: &Facts) -> Option<Refusal> {
    let missing = |message: &str| Some(Refusal::new(reason::AWAITING_WORKSPACE, message));
    let Some(workspace) = &facts.cluster.workspace else {
        return missing(
            "There is no Workspace in this namespace. Create one, with whoever is to use it as a member.",
        );
    };
    if workspace.spec.members.is_empty() {
        return missing(
            "The Workspace has no member yet. Add whoever is to use the Runtime to `spec.members`.",
        );
    }
    let conditions = workspace.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    if !is_true(conditions, ConditionType::MembersBound) {
        return missing(
            "The members of the Workspace don't all hold their roles yet; its own message says why.",
        );
    }
    if is_true(conditions, ConditionType::Ready) {
        return None;
    }
    missing("The Workspace isn't ready yet; its own message says why.")
}

fn to_pay(record: &OrderRecord) -> Refusal {
    let price = &record.price;
    Refusal::new(
        reason::AWAITING_PAYMENT,
        format!(
            "{} {} has to be paid for the Plan `{}`. The platform approves it by a PaymentReceipt of type Payment, provider Manual, for the order `{}`.",
            price.amount, price.currency, price.plan.name, record.uid
        ),
    )
}

/// A refused spec changes nothing; it is looked at again after a while, and when what it refers to changes.
fn refused(facts: &Facts, refusal: Refusal) -> Step {
    Step::Rest(Rest::Refused(refusal, facts.cluster.settings.slow_retry))
}

/// After something went wrong nothing is tried until its pause is over or the spec has changed.
fn retry_pause(now: Timestamp, facts: &Facts) -> Option<Step> {
    let left = setback::left(now, &facts.order.metadata, facts.known.trouble.as_ref())?;
    Some(Step::Wait(Waiting::Retry(left)))
}

/// A read-only operator changes nothing, and for a paused order nothing is begun. But the annotation is the tenant's to
/// set: what is paid, and that it isn't any more, is recorded all the same.
fn held(facts: &Facts, step: Step) -> Step {
    let Step::Do(effect) = &step else { return step };
    if facts.cluster.settings.mode == Mode::ReadWrite && !is_begun(effect) {
        return step;
    }
    let refusal = hold::held(&facts.order.metadata, facts.cluster.settings.mode);
    refusal.map_or(step, |refusal| Step::Rest(Rest::Awaiting(refusal)))
}

/// Whether something is begun by it; the rest keeps account of what there is, or ends it: data isn't kept for nothing
/// either.
fn is_begun(effect: &Effect) -> bool {
    matches!(
        effect,
        Effect::Claim(_)
            | Effect::TakeOver
            | Effect::RecordAttempt { .. }
            | Effect::OpenCheckout(_)
            | Effect::RecordChange(_)
            | Effect::ChangeSubscription
            | Effect::CreateRuntime
    )
}
