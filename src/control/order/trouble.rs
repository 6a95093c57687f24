//! What went wrong at a payment provider, in the terms that decisions and people need.

use crate::api::payment_receipt::Provider;
use crate::api::reason;
use crate::billing::{Error, ErrorClass};
use crate::control::runtime::facts::TroubleClass;
use crate::control::runtime::trouble::{Failure, Pace};

/// The failure that a call came to.
pub fn failure(provider: Provider, error: &Error) -> Failure {
    tracing::debug!(?error, "a payment provider refused or failed");
    let (class, reason, pace) = judge(error.class());
    Failure {
        class,
        reason,
        message: format!("{}: {error}. What to do: {}.", provider.name(), error.remedy()),
        retry_after: error.retry_after(),
        pace,
    }
}

/// Something can't be ended at a provider that can't be asked whether it has.
pub fn goes_on(provider: Provider, error: &Error) -> Failure {
    let failure = failure(provider, error);
    if error.class() != ErrorClass::Refused {
        return failure;
    }
    let name = provider.name();
    let message = format!(
        "{name}: {error}. It may still take money, and is asked again; what was paid for is served meanwhile. What to do: check the merchant's keys, and see {name}'s own pages. If the customer paid there, have that given back, or vouch for it by `moorage billing resolve` under {name}'s own number in place of another. If it is over there, and the order is being deleted, take the order's finalizer off."
    );
    Failure { message, ..failure }
}

/// A payment of which a receipt is stored isn't told of any more.
pub fn lost(provider: Provider, payment: &str) -> Failure {
    Failure {
        class: TroubleClass::Human,
        reason: reason::PAYMENT_NOT_FOUND,
        message: format!(
            "{}: the payment `{payment}`, of which a receipt is stored, isn't told of any more. What to do: {}.",
            provider.name(),
            ErrorClass::NotFound.remedy()
        ),
        retry_after: None,
        pace: Pace::Backoff,
    }
}

fn judge(class: ErrorClass) -> (TroubleClass, &'static str, Pace) {
    use Pace::{Backoff, Soon};
    use TroubleClass::{Human, Transient};
    match class {
        ErrorClass::Busy | ErrorClass::WrongState => (Transient, reason::PROVIDER_UNAVAILABLE, Soon),
        ErrorClass::NotFound => (Human, reason::PAYMENT_NOT_FOUND, Backoff),
        ErrorClass::Unreachable
        | ErrorClass::Unavailable
        | ErrorClass::Throttled { .. }
        | ErrorClass::Unknown => (Transient, reason::PROVIDER_UNAVAILABLE, Backoff),
        ErrorClass::Credentials => (Human, reason::PROVIDER_UNAUTHORIZED, Backoff),
        ErrorClass::Declined
        | ErrorClass::Refused
        | ErrorClass::KeyReused
        | ErrorClass::BadAnswer
        | ErrorClass::TooMany => (Human, reason::PROVIDER_REFUSED, Backoff),
    }
}
