//! Requests for a look at a hostname's records: told and ended by what was seen since they were made. Pure.

use jiff::{SignedDuration, Timestamp};

use super::requests::{Kind, Open, Progress};
use super::tidy::{Chore, ended};
use crate::api::reason;
use crate::api::state::TaskState;
use crate::control::domain::memory::Looked;

/// Time that a CustomDomain may take to appear after a task that names it: both may be applied together.
const PATIENCE: SignedDuration = SignedDuration::from_secs(10);

/// What is known of the CustomDomain that a request names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    /// It isn't there.
    Missing,
    /// Nobody has looked yet.
    Unseen,
    /// This was seen last.
    Seen(Looked),
}

/// What is to be said of the open requests of a namespace.
pub fn chores(now: Timestamp, open: &[(String, Open)], sight: impl Fn(&str) -> Sight) -> Vec<Chore> {
    let each = open.iter().filter_map(|(name, open)| match &open.kind {
        Kind::Domain(domain) => chore(now, name, open, domain, sight(domain)),
        Kind::Runtime(_) => None,
    });
    each.collect()
}

fn chore(now: Timestamp, name: &str, open: &Open, domain: &str, sight: Sight) -> Option<Chore> {
    match sight {
        Sight::Missing if open.created.duration_until(now) >= PATIENCE => {
            let message = format!(
                "There is no CustomDomain `{domain}` in this namespace. Create it, then ask again by another task."
            );
            let end = ended(now, TaskState::Failed, reason::DOMAIN_NOT_FOUND, &message);
            Some(Chore::Finish(name.to_owned(), end))
        }
        // The API server tells a task's creation to the second.
        Sight::Seen(looked) if looked.at >= open.created => {
            let end = match &looked.wrong {
                None => {
                    let message = "The hostname's records are as they should be.";
                    ended(now, TaskState::Completed, reason::COMPLETED, message)
                }
                Some(wrong) => ended(now, TaskState::Failed, wrong.reason, &wrong.message),
            };
            Some(Chore::Finish(name.to_owned(), end))
        }
        Sight::Missing | Sight::Unseen | Sight::Seen(_) => {
            let progress = Progress::Running;
            (open.said != progress.message()).then(|| Chore::Tell(name.to_owned(), progress))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::runtime::facts::{Origin, Refusal};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn told(now: i64, said: &str, sight: &Sight) -> Vec<String> {
        let open = Open {
            uid: "uid".into(),
            runtime: "ops".into(),
            created: at(100),
            origin: Origin::Made,
            kind: Kind::Domain("ai".into()),
            said: said.into(),
        };
        let chores = chores(at(now), &[("verify".to_owned(), open)], |_| sight.clone());
        let told = chores.into_iter().map(|chore| match chore {
            Chore::Finish(_, end) => format!("{:?} {}", end.state, end.reason),
            Chore::Tell(_, progress) => progress.message().to_owned(),
            Chore::Remove(..) => "removed".into(),
        });
        told.collect()
    }

    #[test]
    fn it_ends_by_what_was_seen_since_it_was_made() {
        let seen = |second, wrong| Sight::Seen(Looked { at: at(second), wrong });
        let running = Progress::Running.message().to_owned();
        assert_eq!(told(101, "", &seen(99, None)), std::slice::from_ref(&running));
        assert_eq!(told(101, &running, &Sight::Unseen), [""; 0]);
        assert_eq!(told(101, "", &seen(100, None)), ["Completed Completed"]);
        let wrong = Refusal::new(reason::RECORD_MISSING, "CNAME ai.example.com isn't set.");
        assert_eq!(told(101, "", &seen(100, Some(wrong))), ["Failed RecordMissing"]);
        assert_eq!(told(109, &running, &Sight::Missing), [""; 0]);
        assert_eq!(told(110, "", &Sight::Missing), ["Failed DomainNotFound"]);
    }
}
