//! What is known after a call to a payment provider. Pure.

use super::facts::{CallOutcome, Sent};
use crate::api::order_record::EndingRecord;
use crate::billing::{Error, ErrorClass, OpenCheckout, Repetition};

/// What a call to close or to end something came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// It is over.
    Over,
    /// What is read next tells.
    ReadAgain,
    /// It was refused for good: it goes on.
    GoesOn,
    /// It failed, and is tried again.
    Failed,
}

/// Whether a page was ever shown to anybody. What wasn't is paid by nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// It may have been.
    Yes,
    /// Nobody ever had its address.
    Never,
}

/// What is known of an attempt after its checkout was asked for. That it was never sent holds only if it held before:
/// an earlier call may have done what a later one is refused.
pub fn opening(
    before: Option<&CallOutcome>,
    number: u32,
    repetition: Repetition,
    answer: &Result<OpenCheckout, Error>,
) -> Option<CallOutcome> {
    match answer {
        Ok(opened) => Some(CallOutcome::Opened(number, opened.clone())),
        Err(error) if tells_no_more(repetition, error) => Some(CallOutcome::Unsure(number)),
        Err(error) if error.class() == ErrorClass::Unknown => None,
        Err(_) => before.filter(|before| **before == CallOutcome::Unsent(number)).cloned(),
    }
}

/// Whether the same call wouldn't tell what came of it.
pub fn tells_no_more(repetition: Repetition, error: &Error) -> bool {
    match repetition {
        Repetition::SameKey => error.is_replayed() || error.class() == ErrorClass::KeyReused,
        Repetition::Never => matches!(error.class(), ErrorClass::Unknown | ErrorClass::BadAnswer),
    }
}

/// What closing a checkout came to. A provider that can't be asked refuses to withdraw what is paid, what was withdrawn
/// and whatever it is asked with a wrong key: only after a call of which nothing is known does that mean the second.
pub fn closing(
    repetition: Repetition,
    shown: Shown,
    before: Option<Sent>,
    answer: &Result<(), Error>,
) -> Close {
    match (answer.as_ref().map_err(Error::class), repetition) {
        (Ok(()), _) => Close::Over,
        (Err(ErrorClass::WrongState), Repetition::SameKey) => Close::ReadAgain,
        (Err(ErrorClass::Refused), Repetition::Never)
            if shown == Shown::Never || before == Some(Sent::Unanswered) =>
        {
            Close::Over
        }
        (Err(_), _) => Close::Failed,
    }
}

/// What ending a subscription came to. One that a provider which can't be asked refuses to end goes on, unless an earlier
/// call may have ended it: one that wasn't answered, or one that a process before this may have made.
pub fn ending(
    repetition: Repetition,
    shown: Shown,
    before: Option<Sent>,
    recorded: &EndingRecord,
    answer: &Result<(), Error>,
) -> Close {
    match (answer.as_ref().map_err(Error::class), repetition) {
        (Ok(()), _) => Close::Over,
        (Err(ErrorClass::Refused), Repetition::Never) => match (shown, before, recorded.refuse_time) {
            (Shown::Never, ..) | (_, Some(Sent::Unanswered), _) | (_, None, None) => Close::Over,
            (Shown::Yes, Some(Sent::Never), None) => Close::GoesOn,
            (Shown::Yes, _, Some(_)) => Close::Failed,
        },
        (Err(_), _) => Close::Failed,
    }
}

/// What is known of a call that ends something, after its answer.
pub fn sent(before: Option<Sent>, answer: &Result<(), Error>) -> Option<Sent> {
    match answer {
        Ok(()) => None,
        Err(error) if error.class() == ErrorClass::Unknown => Some(Sent::Unanswered),
        Err(_) => before,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::order_record::EndingTime;

    fn error(class: ErrorClass) -> Error {
        Error::new("test", class, "as the test has it")
    }

    fn recorded(refused: bool) -> EndingRecord {
        EndingRecord {
            subscription_id: "77".into(),
            when: EndingTime::Now,
            idempotency_key: "key".into(),
            done_time: None,
            refuse_time: refused.then(jiff::Timestamp::default),
        }
    }

    #[test]
    fn what_may_have_been_sent_isnt_taken_for_unsent_because_a_later_call_is_refused() {
        let refused =
            [ErrorClass::Busy, ErrorClass::Throttled { retry_after: None }, ErrorClass::Credentials];
        for class in refused {
            let after =
                |before: Option<&CallOutcome>| opening(before, 1, Repetition::SameKey, &Err(error(class)));
            assert_eq!(after(Some(&CallOutcome::Unsent(1))), Some(CallOutcome::Unsent(1)), "{class:?}");
            assert_eq!(after(None), None, "{class:?}");
        }
        let lost = Err(error(ErrorClass::Unknown));
        assert_eq!(opening(Some(&CallOutcome::Unsent(1)), 1, Repetition::SameKey, &lost), None);
        let held = opening(Some(&CallOutcome::Unsent(1)), 1, Repetition::Never, &lost);
        assert_eq!(held, Some(CallOutcome::Unsure(1)));
    }

    #[test]
    fn a_refused_end_is_no_end_unless_an_earlier_call_may_have_been() {
        let refused = Err(error(ErrorClass::Refused));
        let came = |shown, before, was_refused| {
            ending(Repetition::Never, shown, before, &recorded(was_refused), &refused)
        };
        assert_eq!(came(Shown::Yes, Some(Sent::Never), false), Close::GoesOn);
        assert_eq!(came(Shown::Yes, Some(Sent::Never), true), Close::Failed, "it is told, and tried again");
        assert_eq!(came(Shown::Yes, None, true), Close::Failed, "a restart makes no difference");
        assert_eq!(came(Shown::Yes, Some(Sent::Unanswered), false), Close::Over);
        assert_eq!(came(Shown::Yes, None, false), Close::Over, "a process before may have ended it");
        assert_eq!(came(Shown::Never, Some(Sent::Never), false), Close::Over);
        let stripe = ending(Repetition::SameKey, Shown::Yes, None, &recorded(false), &refused);
        assert_eq!(stripe, Close::Failed);
    }

    #[test]
    fn a_page_that_isnt_withdrawn_may_still_be_paid() {
        let refused = Err(error(ErrorClass::Refused));
        let came = |shown, before| closing(Repetition::Never, shown, before, &refused);
        assert_eq!(came(Shown::Yes, None), Close::Failed);
        assert_eq!(came(Shown::Yes, Some(Sent::Unanswered)), Close::Over);
        assert_eq!(came(Shown::Never, None), Close::Over);
        let paid = Err(error(ErrorClass::WrongState));
        assert_eq!(closing(Repetition::SameKey, Shown::Yes, None, &paid), Close::ReadAgain);
        let lost = Err(error(ErrorClass::Unknown));
        assert_eq!(closing(Repetition::Never, Shown::Never, None, &lost), Close::Failed);
        assert_eq!(sent(None, &lost), Some(Sent::Unanswered));
        assert_eq!(sent(Some(Sent::Unanswered), &refused), Some(Sent::Unanswered));
    }
}
