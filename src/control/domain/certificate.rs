//! What is known of a hostname's certificate: the one at hand, and the order for one.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

use super::facts::Count;
use crate::api::custom_domain::Challenge;
use crate::control::runtime::facts::Refusal;
use crate::domains::acme::AcmeError;
use crate::domains::certificate::Certificate;
use crate::domains::dns::Text;

/// Time for which what CAA records say is believed.
const CAA_GOOD: SignedDuration = SignedDuration::from_mins(5);
/// Pause after a first look that failed.
const CAA_SOON: SignedDuration = SignedDuration::from_secs(5);

/// Looks in a row for texts before they are set again: about five minutes.
const MOST_GLANCES: u32 = 60;

/// A certificate that can be imported, or why there is none.
#[derive(Clone, Debug)]
pub enum Material {
    /// One that is good.
    Ready(Arc<Certificate>),
    /// There is none that could be used.
    Unfit(Refusal),
}

/// What the operator keeps for ordering certificates of one hostname, in a Secret of its own namespace.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// Whether there is a Secret.
    pub kept: Kept,
    /// The order under way.
    pub order: Option<StoredOrder>,
    /// Texts that were put into DNS, or are about to be, and not removed yet.
    pub texts: Vec<Text>,
    /// Answers to challenges that the ingress gives, by their token, and not removed yet.
    pub answers: Vec<String>,
    /// The last certificate that was issued.
    pub certificate: Option<Arc<Certificate>>,
}

/// Whether something is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kept {
    /// Nothing is.
    #[default]
    Nothing,
    /// A Secret is there.
    Secret,
}

/// An order under way.
#[derive(Clone, Debug)]
pub struct StoredOrder {
    /// Its URL.
    pub url: String,
    /// The key that the certificate is for, PEM.
    pub key: SecretString,
    /// How its certificate is counted; none while it isn't, as one that renews another.
    pub count: Option<Count>,
}

/// What CAA records were found to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaaFact {
    /// When they were looked at.
    pub at: Timestamp,
    /// Whether they let the authority issue.
    pub verdict: Caa,
}

/// Whether CAA records let the authority issue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caa {
    /// They do.
    Allows,
    /// They don't, for this reason.
    Forbids(Refusal),
    /// They couldn't be seen, for this reason, by so many looks in a row. An authority that can't see them doesn't issue.
    Unseen(Refusal, u32),
}

impl CaaFact {
    /// Until when this is believed. A look that failed is soon repeated, and then ever more slowly: servers miss a question
    /// now and then.
    pub fn until(&self) -> Timestamp {
        let long = match self.verdict {
            Caa::Allows | Caa::Forbids(_) => CAA_GOOD,
            Caa::Unseen(_, looks) => {
                CAA_SOON.saturating_mul(1 << looks.saturating_sub(1).min(6)).min(CAA_GOOD)
            }
        };
        self.at.saturating_add(long).unwrap_or(self.at)
    }
}

/// An order as it was last seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderFact {
    /// These have to be shown before the authority is told.
    Proofs(Vec<Proof>),
    /// The authority is at it.
    Working(Timestamp),
    /// It waits for the certificate request.
    Ready,
    /// The certificate is made.
    Valid,
    /// The authority wants to be left alone until then, for this reason.
    Held(Timestamp, Refusal),
    /// It failed.
    Failed(AcmeError),
}

/// The copy of an ordered certificate in the namespace of its CustomDomain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CopyFact {
    /// It is of the certificate with this fingerprint.
    Of(String),
    /// It isn't there, or is another's.
    Gone,
    /// It couldn't be written, for this reason, and is tried again then.
    Failed(Timestamp, Refusal),
}

/// What an authority wants to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// A text in DNS.
    Text(String),
    /// An answer to a request: its token, and the answer.
    Answer(String, String),
}

/// Whether the texts that an authority wants show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Shown {
    /// They weren't set in this process's life.
    #[default]
    NotSet,
    /// They were, and not every server showed them then.
    NotYet(Glance),
    /// They were, and couldn't be looked for then, for this reason.
    Unseen(Glance, Refusal),
    /// They show.
    Everywhere,
}

/// A look for texts that didn't find them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glance {
    /// When.
    pub at: Timestamp,
    /// Looks in a row since they were set.
    pub looks: u32,
}

impl Glance {
    /// When to look again: after a second at first, then ever more slowly up to sixteen.
    pub fn again(&self) -> Timestamp {
        let slower = (self.looks / 10).saturating_sub(1).min(4);
        self.at.saturating_add(SignedDuration::from_secs(1 << slower)).unwrap_or(self.at)
    }

    /// Whether they were looked for in vain for so long that they may have got lost, or the order with them.
    pub fn is_last(&self) -> bool {
        self.looks >= MOST_GLANCES
    }
}

impl Proof {
    /// Whether it is what this challenge asks for.
    pub fn answers(&self, challenge: Challenge) -> bool {
        match self {
            Self::Text(_) => challenge == Challenge::Dns01,
            Self::Answer(..) => challenge == Challenge::Http01,
        }
    }
}

impl Stored {
    /// Whether something is left that has to be taken away.
    pub fn has_left(&self) -> Left {
        if self.texts.is_empty() && self.answers.is_empty() { Left::Nothing } else { Left::Proofs }
    }
}

/// What orders have left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// Nothing.
    Nothing,
    /// Texts or answers.
    Proofs,
}
