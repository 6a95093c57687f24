//! Why a look at DNS came to nothing, in the words of conditions.

use crate::api::reason;
use crate::control::runtime::facts::Refusal;
use crate::domains::dns::LookError;

/// Why, in one word.
pub fn reason(error: &LookError) -> &'static str {
    match error {
        LookError::Private { .. } => reason::NAME_SERVER_REFUSED,
        LookError::Disagree { .. } | LookError::Changing { .. } => reason::SERVERS_DISAGREE,
        LookError::NoServers { .. }
        | LookError::Unanswered { .. }
        | LookError::Slow { .. }
        | LookError::Resolvers => reason::DNS_UNAVAILABLE,
        LookError::NoSuchDomain { .. } => reason::RECORD_MISSING,
        LookError::Loop { .. } | LookError::TooLong { .. } | LookError::Malformed { .. } => {
            reason::RECORD_WRONG
        }
    }
}

/// The word with what the error says.
pub fn refusal(error: &LookError) -> Refusal {
    Refusal::new(reason(error), error.to_string())
}
