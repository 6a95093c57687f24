//! What is known about one order when a decision is made.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use super::account::{Account, account};
use super::standing::{Patience, Standing, last_known};
use super::truth::{self, Receipt};
use crate::api::condition::{ConditionType, find, is_true};
use crate::api::name_claim::Holder;
use crate::api::order_record::{AttemptState, OrderRecord};
use crate::api::payment_receipt::Provider;
use crate::api::runtime::RuntimeStatus;
use crate::api::state::RuntimeState;
use crate::api::{NameClaim, ORDER_FINALIZER, PlanSpec, Runtime, RuntimeOrder, Workspace};
use crate::billing::{Checkout, CheckoutState, OpenCheckout, ProviderTruth};
use crate::control::policy::EffectivePolicy;
use crate::control::runtime::facts::{NamespaceFact, Refusal, Trouble};
use crate::engine::config::Mode;

/// Everything that `decide` sees.
#[derive(Clone, Debug)]
pub struct Facts {
    /// What is declared.
    pub order: Arc<RuntimeOrder>,
    /// The cluster around it, from the caches.
    pub cluster: Cluster,
    /// What was read or went wrong, kept between visits.
    pub known: Knowledge,
}

/// What the caches say.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Whether the namespace is being deleted.
    pub namespace: NamespaceFact,
    /// The claim that it holds, or else that of an earlier order of its name which wasn't given up.
    pub claim: Option<Arc<NameClaim>>,
    /// The namespace's Workspace.
    pub workspace: Option<Arc<Workspace>>,
    /// The Plan that it names.
    pub plan: Option<PlanSpec>,
    /// What the platform allows.
    pub policy: EffectivePolicy,
    /// Slugs that the namespace holds.
    pub slugs: i32,
    /// Orders of the namespace that aren't paid and still may be.
    pub open_orders: i32,
    /// Every receipt of it.
    pub receipts: Vec<Receipt>,
    /// The Runtime that it names.
    pub runtime: Option<Arc<Runtime>>,
    /// The order by which that Runtime was last funded, as the Runtime's claim has it.
    pub funded_by: Option<String>,
    /// What the Runtime that it is for would be refused for, whatever is paid; looked at while nothing is.
    pub obstacle: Option<Refusal>,
    /// What is left of the Runtime that it was last recorded to fund.
    pub remains: Remains,
    /// Another order that funds that Runtime or can be paid again for it, and has the better right to it.
    pub rival: Option<String>,
    /// The Plan that the Runtime asks for, with its name.
    pub wish: Option<(String, PlanSpec)>,
    /// Who takes payments here, beside the platform itself.
    pub providers: Vec<Provider>,
    /// Settings of the operator.
    pub settings: Settings,
}

/// What is left of a Runtime, as its slug's claim has it: a Runtime may not be there yet after a restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remains {
    /// Nothing: it was given up.
    Nothing,
    /// The claim stands, and with it what stands at Fly.
    Claim,
}

/// Settings of the operator that decisions depend on.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Whether anything may be changed.
    pub mode: Mode,
    /// How long what isn't paid any more is kept.
    pub patience: Patience,
    /// Time that making the Runtime may take.
    pub start_deadline: SignedDuration,
    /// Pause of slow retries.
    pub slow_retry: SignedDuration,
    /// Time after which a provider is asked again without having told of anything.
    pub poll: SignedDuration,
    /// Most orders of a namespace that aren't paid, where no policy says otherwise.
    pub max_open_orders: i32,
}

/// What was read or went wrong. Nothing in here is needed after a restart.
#[derive(Clone, Debug, Default)]
pub struct Knowledge {
    /// Whether this process has read it yet.
    pub first: FirstReading,
    /// When the API server said that there is no such Runtime. A cache alone proves no absence.
    pub runtime_missing_at: Option<Timestamp>,
    /// What the provider said when it was last asked.
    pub read: Option<Reading>,
    /// What is known of a call to the provider and isn't recorded yet.
    pub call: Option<CallOutcome>,
    /// What is known of calls that end something at a provider, by its id there, until the claim says what came of them.
    pub ends: BTreeMap<String, Sent>,
    /// The customer's own page at the provider, as it was last opened.
    pub portal: Option<Portal>,
    /// What went wrong last, until something succeeds again.
    pub trouble: Option<Trouble>,
}

/// Whether this process has asked an order's provider yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FirstReading {
    /// Nothing is known: it is asked at once.
    #[default]
    Unknown,
    /// It was first visited then, and not asked about yet.
    Since(Timestamp),
    /// It was asked.
    Done,
}

/// The customer's own page at the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Portal {
    /// When it was opened, or couldn't be.
    pub at: Timestamp,
    /// The request that it answers, by its time.
    pub request: Timestamp,
    /// Its address.
    pub url: Option<String>,
    /// Why there is none.
    pub problem: Option<String>,
}

/// What a provider said when it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// When it was asked.
    pub at: Timestamp,
    /// The last notice before that, as the claim has it.
    pub notice: Option<Timestamp>,
    /// What it said.
    pub truth: Arc<ProviderTruth>,
}

/// What is known of a call that ends something, while nothing came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sent {
    /// It is to be made by this process, which recorded it, and no earlier one can have done anything.
    Never,
    /// It was made, and no answer came.
    Unanswered,
}

/// What is known of a call to the provider, until the claim says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallOutcome {
    /// The attempt of this number was stored by this process, and its checkout was never asked for.
    Unsent(u32),
    /// Its checkout was opened, or found.
    Opened(u32, OpenCheckout),
    /// It was asked for, and nobody knows what came of it: asking again tells no more.
    Unsure(u32),
    /// It was looked for, and there is none.
    NotFound(u32),
    /// Nobody can pay it any more.
    Closed(u32),
    /// This subscription, whose end is recorded, ends.
    Ended(String),
    /// Its provider refuses to end this one: it goes on to collect.
    NotEnded(String),
    /// The subscription is at the price that is recorded.
    Changed,
    /// The customer's bank declined the difference, and nothing has changed.
    Declined,
    /// Nobody knows whether it changed, and asking again with the same key tells no more.
    Stale,
}

impl Facts {
    /// What is recorded on its own claim, while it holds it.
    pub fn record(&self) -> Option<&OrderRecord> {
        let claim = self.cluster.claim.as_ref().filter(|claim| claim.spec.tombstone.is_none())?;
        let ours = Some(&claim.spec.holder.uid) == self.order.metadata.uid.as_ref();
        claim.spec.order.as_deref().filter(|_| ours)
    }

    /// All that is true of its payments; `None` while its provider has to be asked first.
    pub fn truth(&self) -> Option<ProviderTruth> {
        let read = self.known.read.as_ref().map(|reading| &*reading.truth);
        truth::truth(self.record()?, &self.cluster.receipts, read)
    }

    /// What its payments come to; `None` while its provider has to be asked first.
    pub fn account(&self) -> Option<Account> {
        Some(account(self.record()?, &self.truth()?))
    }

    /// Where its funding stands.
    pub fn standing(&self, now: Timestamp) -> Option<Standing> {
        let (record, patience) = (self.record()?, self.cluster.settings.patience);
        let known = self.account().map(|account| account.standing(now, record, patience));
        Some(known.unwrap_or_else(|| last_known(record, patience)))
    }

    /// The checkout that can be paid now.
    pub fn open_checkout(&self) -> Option<Checkout> {
        let attempt = self.record()?.attempts.last().filter(|attempt| attempt.state == AttemptState::Open)?;
        let open =
            |it: &Checkout| it.attempt == attempt.number && matches!(it.state, CheckoutState::Open { .. });
        self.truth()?.checkouts.into_iter().find(open)
    }

    /// Whether the page that is open, or that nobody knows of, is for a dearer Plan.
    pub fn asks_for_dearer(&self) -> bool {
        let last = self.record().and_then(|order| Some((order, order.attempts.last()?)));
        last.is_some_and(|(order, attempt)| !attempt.state.is_over() && order.is_for_change(attempt))
    }

    /// Forgets what came of a call once the claim says it.
    pub fn forget_recorded(&mut self) {
        let (Some(outcome), Some(record)) = (&self.known.call, self.record()) else { return };
        let attempt = |number: u32| record.attempts.iter().find(|attempt| attempt.number == number);
        let is_recorded = match outcome {
            CallOutcome::Unsent(number) => {
                attempt(*number).is_some_and(|attempt| attempt.state != AttemptState::Opening)
            }
            CallOutcome::Opened(number, checkout) => attempt(*number).is_none_or(|attempt| {
                let ids = [&attempt.checkout_id, &attempt.subscription_id];
                attempt.state != AttemptState::Opening && ids.contains(&&Some(checkout.id.clone()))
            }),
            CallOutcome::Unsure(number) => {
                attempt(*number).is_none_or(|it| it.state.is_over() || it.state == AttemptState::Held)
            }
            CallOutcome::NotFound(number) | CallOutcome::Closed(number) => {
                attempt(*number).is_none_or(|attempt| attempt.state.is_over())
            }
            CallOutcome::Changed => record.change.is_none(),
            CallOutcome::Declined => {
                record.change.as_ref().is_none_or(|change| change.decline_time.is_some())
            }
            CallOutcome::Stale => false,
            CallOutcome::Ended(id) => record.ending(id).is_none_or(|ending| ending.done_time.is_some()),
            CallOutcome::NotEnded(id) => {
                record.ending(id).is_none_or(|it| it.done_time.is_some() || it.refuse_time.is_some())
            }
        };
        if is_recorded {
            self.known.call = None;
        }
    }

    /// Name of the Runtime that it is for.
    pub fn runtime_name(&self) -> &str {
        let spec = &self.order.spec;
        let made = spec.runtime.as_ref().map(|runtime| runtime.name.as_str());
        made.or(spec.runtime_ref.as_ref().map(|reference| reference.name.as_str())).unwrap_or_default()
    }

    /// The Runtime that it names, unless it is being deleted.
    pub fn standing_runtime(&self) -> Option<&Runtime> {
        self.cluster.runtime.as_deref().filter(|runtime| runtime.metadata.deletion_timestamp.is_none())
    }

    /// Where the Runtime that it names stands, by the Runtime's own word.
    pub fn runtime_state(&self) -> Option<RuntimeState> {
        self.runtime_status()?.state
    }

    /// Whether that Runtime is stopped because its own spec asks for it.
    pub fn runtime_is_stopped_as_asked(&self) -> bool {
        self.runtime_state() == Some(RuntimeState::Stopped) && self.runtime_is_ready()
    }

    /// Whether that Runtime is as its own spec wants it.
    pub fn runtime_is_ready(&self) -> bool {
        self.runtime_status().is_some_and(|status| is_true(&status.conditions, ConditionType::Ready))
    }

    /// What that Runtime says of itself, as its `Ready` has it.
    pub fn runtime_message(&self) -> &str {
        let ready = self.runtime_status().and_then(|status| find(&status.conditions, ConditionType::Ready));
        ready.map(|ready| ready.message.as_str()).unwrap_or_default()
    }

    fn runtime_status(&self) -> Option<&RuntimeStatus> {
        self.cluster.runtime.as_ref()?.status.as_ref()
    }

    /// Who we are, for claims.
    pub fn holder(&self) -> Holder {
        Holder {
            namespace: self.order.namespace().unwrap_or_default(),
            name: self.order.name_any(),
            uid: self.order.uid().unwrap_or_default(),
        }
    }

    /// Whether it is being deleted.
    pub fn is_deleted(&self) -> bool {
        self.order.metadata.deletion_timestamp.is_some()
    }

    /// Whether our finalizer is on it.
    pub fn has_finalizer(&self) -> bool {
        self.order.finalizers().iter().any(|finalizer| finalizer == ORDER_FINALIZER)
    }

    /// Generation of its spec.
    pub fn generation(&self) -> i64 {
        self.order.metadata.generation.unwrap_or_default()
    }
}
