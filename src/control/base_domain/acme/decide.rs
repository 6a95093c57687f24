//! What to do next for the certificate: a pure function of the time and the facts.

use jiff::{SignedDuration, Timestamp};

use super::stored::Stored;
use crate::domains::dns::Text;

/// Time between two questions for when the authority would like a renewal.
const ASKED_EVERY: SignedDuration = SignedDuration::from_hours(6);

/// What is known.
pub struct Facts<'f> {
    /// The authority's directory.
    pub directory: &'f str,
    /// What is stored.
    pub stored: &'f Stored,
    /// What was seen of the order under way.
    pub seen: &'f Seen,
    /// When two thirds of the standing certificate's life are over; `None` without one that can be used.
    pub renewal: Option<Timestamp>,
}

/// Where the order under way stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    /// These texts have to show in DNS, and the challenges to be answered. None are left once all are answered.
    Pending(Vec<Text>),
    /// It waits for the certificate request.
    Ready,
    /// The authority is at it.
    Processing,
    /// The certificate is made.
    Valid,
    /// It failed, for this reason, in a sentence.
    Invalid(String),
}

/// What was seen of the order under way, in this process's life.
#[derive(Debug, Default)]
pub struct Seen {
    /// Where it stands; forgotten after each step that may have changed it.
    pub order: Option<Sight>,
    /// Whether the texts show at every authoritative server.
    pub texts: Shown,
}

/// Whether texts show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shown {
    /// They weren't put there by this process.
    #[default]
    NotSet,
    /// They were put there, and don't show everywhere yet.
    NotYet,
    /// They show everywhere.
    Everywhere,
}

/// The next step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Make an account.
    Register,
    /// Ask when the authority would like a renewal.
    AskRenewal,
    /// Begin an order.
    Begin,
    /// See where the order stands.
    Look,
    /// See where the order stands, after a moment.
    Glance,
    /// Note these texts, then put them into DNS.
    Publish(Vec<Text>),
    /// See whether these texts show everywhere, after a moment.
    Watch(Vec<Text>),
    /// Tell the authority that they do.
    Answer,
    /// Send the certificate request.
    Finalize,
    /// Fetch the certificate and keep it.
    Collect,
    /// Give the order up, for this reason, in a sentence.
    Abandon(String),
    /// Remove what was put into DNS.
    Clean,
    /// Nothing now.
    Rest,
}

/// The next step for the certificate.
pub fn decide(now: Timestamp, facts: &Facts<'_>) -> Step {
    let stored = facts.stored;
    if stored.next_try.is_some_and(|at| at > now) {
        return Step::Rest;
    }
    if stored.order.is_none() && !stored.texts.is_empty() {
        return Step::Clean;
    }
    let known = stored.account.as_ref().is_some_and(|account| account.directory == facts.directory);
    match (&stored.order, is_due(now, facts)) {
        (Some(_), _) if !known => Step::Abandon("The certificate authority was changed.".into()),
        (None, true) if !known => Step::Register,
        (Some(_), _) => ordered(facts.seen),
        (None, true) => Step::Begin,
        (None, false) if known && should_ask(now, stored) => Step::AskRenewal,
        (None, false) => Step::Rest,
    }
}

fn ordered(seen: &Seen) -> Step {
    match (&seen.order, seen.texts) {
        (None, _) => Step::Look,
        (Some(Sight::Pending(texts)), _) if texts.is_empty() => Step::Glance,
        (Some(Sight::Pending(texts)), Shown::NotSet) => Step::Publish(texts.clone()),
        (Some(Sight::Pending(texts)), Shown::NotYet) => Step::Watch(texts.clone()),
        (Some(Sight::Pending(_)), Shown::Everywhere) => Step::Answer,
        (Some(Sight::Processing), _) => Step::Glance,
        (Some(Sight::Ready), _) => Step::Finalize,
        (Some(Sight::Valid), _) => Step::Collect,
        (Some(Sight::Invalid(why)), _) => Step::Abandon(why.clone()),
    }
}

/// Whether there is no certificate, or its time has come: when the authority suggested, or at two thirds of its life,
/// whatever is earlier.
fn is_due(now: Timestamp, facts: &Facts<'_>) -> bool {
    let suggested = facts.stored.renewal.and_then(|renewal| renewal.at);
    match facts.renewal {
        None => true,
        Some(own) => suggested.map_or(own, |suggested| suggested.min(own)) <= now,
    }
}

fn should_ask(now: Timestamp, stored: &Stored) -> bool {
    stored.renewal.is_none_or(|renewal| renewal.asked.duration_until(now) >= ASKED_EVERY)
}

#[cfg(test)]
mod tests {
    use super::super::stored::{Account, OrderRecord, Renewal};
    use super::*;

    const DIRECTORY: &str = "https://ca.example/dir";

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn account() -> Stored {
        let account = Account { directory: DIRECTORY.into(), credentials: "{}".into() };
        let renewal = Some(Renewal { at: None, asked: at(1000) });
        Stored { account: Some(account), renewal, ..Stored::default() }
    }

    fn order() -> Stored {
        let order = OrderRecord { url: "https://ca.example/1".into(), key: "key".into() };
        Stored { order: Some(order), ..account() }
    }

    fn text() -> Text {
        Text { name: "_acme-challenge.example.dev".into(), value: "x".into() }
    }

    fn next(stored: &Stored, seen: &Seen, renewal: Option<i64>) -> Step {
        decide(at(1000), &Facts { directory: DIRECTORY, stored, seen, renewal: renewal.map(at) })
    }

    #[test]
    fn without_a_certificate_one_is_ordered_and_with_one_it_rests_until_its_time() {
        let seen = Seen::default();
        assert_eq!(next(&Stored::default(), &seen, None), Step::Register);
        assert_eq!(next(&account(), &seen, None), Step::Begin);
        assert_eq!(next(&account(), &seen, Some(1001)), Step::Rest);
        assert_eq!(next(&account(), &seen, Some(1000)), Step::Begin);
    }

    #[test]
    fn the_authority_may_want_it_earlier_but_not_later() {
        let suggested = |seconds| Stored {
            renewal: Some(Renewal { at: Some(at(seconds)), asked: at(1000) }),
            ..account()
        };
        let seen = Seen::default();
        assert_eq!(next(&suggested(900), &seen, Some(5000)), Step::Begin);
        assert_eq!(next(&suggested(2000), &seen, Some(5000)), Step::Rest);
        assert_eq!(next(&suggested(9000), &seen, Some(1000)), Step::Begin);
        let long_ago = Stored { renewal: Some(Renewal { at: None, asked: at(-100_000) }), ..account() };
        assert_eq!(next(&long_ago, &seen, Some(5000)), Step::AskRenewal);
    }

    #[test]
    fn an_order_goes_from_texts_to_a_certificate() {
        let seen = |order, texts| Seen { order: Some(order), texts };
        let pending = || Sight::Pending(vec![text()]);
        assert_eq!(next(&order(), &Seen::default(), None), Step::Look);
        assert_eq!(next(&order(), &seen(pending(), Shown::NotSet), None), Step::Publish(vec![text()]));
        assert_eq!(next(&order(), &seen(pending(), Shown::NotYet), None), Step::Watch(vec![text()]));
        assert_eq!(next(&order(), &seen(pending(), Shown::Everywhere), None), Step::Answer);
        assert_eq!(next(&order(), &seen(Sight::Pending(Vec::new()), Shown::NotSet), None), Step::Glance);
        assert_eq!(next(&order(), &seen(Sight::Ready, Shown::NotSet), None), Step::Finalize);
        assert_eq!(next(&order(), &seen(Sight::Processing, Shown::NotSet), None), Step::Glance);
        assert_eq!(next(&order(), &seen(Sight::Valid, Shown::NotSet), None), Step::Collect);
        let failed = seen(Sight::Invalid("no".into()), Shown::NotSet);
        assert_eq!(next(&order(), &failed, None), Step::Abandon("no".into()));
    }

    #[test]
    fn after_a_failure_nothing_is_tried_before_its_time_and_texts_are_cleaned_away_first() {
        let failed = Stored { next_try: Some(at(1001)), ..account() };
        assert_eq!(next(&failed, &Seen::default(), None), Step::Rest);
        let left = Stored { texts: vec![text()], ..account() };
        assert_eq!(next(&left, &Seen::default(), None), Step::Clean);
    }

    #[test]
    fn another_authority_means_another_account() {
        let mut moved = order();
        moved.account = Some(Account { directory: "https://other.example".into(), credentials: "{}".into() });
        assert!(matches!(next(&moved, &Seen::default(), None), Step::Abandon(_)));
        moved.order = None;
        assert_eq!(next(&moved, &Seen::default(), None), Step::Register);
        assert_eq!(
            next(&moved, &Seen::default(), Some(2000)),
            Step::Rest,
            "what stands is good until its time"
        );
    }
}
