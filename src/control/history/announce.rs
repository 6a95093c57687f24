//! Events, for whoever runs `kubectl describe`.

use std::sync::{Mutex, PoisonError};

use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio_util::sync::CancellationToken;

use crate::api::condition::{Condition, ConditionType, find, is_true};
use crate::api::reason;

/// Most events that wait to be published; further ones are dropped.
const MAX_WAITING: usize = 512;
/// Longest note, in bytes.
const MAX_NOTE: usize = 1000;

/// Which events are published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Troubles only.
    Warnings,
    /// What went well, too.
    All,
}

/// Publishes events in the background.
#[derive(Debug)]
pub struct Announcer {
    level: Level,
    sender: Sender<Announcement>,
    receiver: Mutex<Option<Receiver<Announcement>>>,
}

/// Something to be told about an object.
#[derive(Debug)]
struct Announcement {
    about: ObjectReference,
    news: News,
}

/// What is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// How bad it is.
    pub tone: Tone,
    /// Why, in one word.
    pub reason: String,
    /// Cause and remedy.
    pub note: String,
}

/// How bad news is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Somebody should look.
    Warning,
    /// All is well.
    Normal,
}

impl Announcer {
    /// An announcer that publishes once [`Self::run`] runs.
    pub fn new(level: Level) -> Self {
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        Self { level, sender, receiver: Mutex::new(Some(receiver)) }
    }

    /// Tells what the conditions of an object have come to.
    pub fn tell(&self, object: &impl Resource<DynamicType = ()>, old: &[Condition], new: &[Condition]) {
        for news in news(old, new).into_iter().chain(warnings(old, new)) {
            self.say(object, news);
        }
    }

    /// Tells one thing about an object.
    pub fn say(&self, object: &impl Resource<DynamicType = ()>, news: News) {
        if news.tone == Tone::Normal && self.level == Level::Warnings {
            return;
        }
        let about = ObjectReference { resource_version: None, ..object.object_ref(&()) };
        if self.sender.try_send(Announcement { about, news }).is_err() {
            tracing::debug!("too many events wait to be published; one is dropped");
        }
    }

    /// Publishes until `shutdown`.
    pub async fn run(&self, client: Client, shutdown: CancellationToken) {
        let taken = self.receiver.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut receiver) = taken else { return };
        let recorder = Recorder::new(client, Reporter { controller: "moorage".into(), instance: None });
        loop {
            let announcement = tokio::select! {
                announcement = receiver.recv() => announcement,
                () = shutdown.cancelled() => return,
            };
            let Some(Announcement { about, news }) = announcement else { return };
            if let Err(error) = recorder.publish(&event(news), &about).await {
                tracing::debug!(%error, "an event can't be published");
            }
        }
    }
}

/// What a change of conditions is worth telling.
pub fn news(old: &[Condition], new: &[Condition]) -> Option<News> {
    let reason_of = |conditions: &[Condition], type_| {
        find(conditions, type_)
            .filter(|_| is_true(conditions, type_))
            .map(|condition| condition.reason.clone())
    };
    let told = [
        (ConditionType::Stalled, Tone::Warning),
        (ConditionType::Reconciling, Tone::Warning),
        (ConditionType::Ready, Tone::Normal),
    ];
    for (type_, tone) in told {
        let Some(reason) = reason_of(new, type_) else { continue };
        // Of what is under way, or waits for a person, only a held deletion is a trouble.
        if type_ == ConditionType::Reconciling && reason != reason::AWAITING_CONFIRM {
            continue;
        }
        // An order that isn't paid says so in a warning of its own, with its deadlines.
        if type_ == ConditionType::Ready && reason == reason::PAST_DUE {
            return None;
        }
        if reason_of(old, type_).as_ref() == Some(&reason) {
            return None;
        }
        let message = find(new, type_).map(|condition| condition.message.as_str()).unwrap_or_default();
        return Some(News { tone, reason: reason.to_string(), note: cut(message) });
    }
    None
}

/// What has become worth a warning although the spec is realised.
pub fn warnings(old: &[Condition], new: &[Condition]) -> Vec<News> {
    let fresh = |type_: &ConditionType| {
        let condition = find(new, *type_)?;
        let told = find(old, *type_).is_some_and(|known| known.message == condition.message);
        (!told).then(|| News {
            tone: Tone::Warning,
            reason: condition.reason.to_string(),
            note: cut(&condition.message),
        })
    };
    let fought_over = find(new, ConditionType::ConfigApplied).is_some_and(|it| it.reason == reason::DRIFTED);
    let also = fought_over.then_some(ConditionType::ConfigApplied);
    [ConditionType::DeafWhileAsleep, ConditionType::UnknownResources]
        .iter()
        .chain(also.as_ref())
        .filter_map(fresh)
        .collect()
}

fn cut(message: &str) -> String {
    let end = (0..=MAX_NOTE.min(message.len())).rev().find(|end| message.is_char_boundary(*end));
    message[..end.unwrap_or_default()].to_owned()
}

fn event(news: News) -> Event {
    Event {
        type_: match news.tone {
            Tone::Warning => EventType::Warning,
            Tone::Normal => EventType::Normal,
        },
        reason: news.reason,
        note: Some(news.note),
        action: "Reconcile".into(),
        secondary: None,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::api::condition::{ConditionStatus, Wanted, merge};

    fn conditions(type_: ConditionType, status: ConditionStatus, reason: &'static str) -> Vec<Condition> {
        merge(&[], vec![Wanted::new(type_, status, reason, "é".repeat(900))], 1, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_trouble_is_told_once_and_again_when_it_is_another() {
        let stalled = conditions(ConditionType::Stalled, ConditionStatus::True, "CrashLoop");
        let told = news(&[], &stalled).unwrap();
        assert_eq!((told.tone, told.reason.as_str()), (Tone::Warning, "CrashLoop"));
        assert!(told.note.len() <= MAX_NOTE);
        assert_eq!(news(&stalled, &stalled), None);
        let other = conditions(ConditionType::Stalled, ConditionStatus::True, "OutOfMemory");
        assert_eq!(news(&stalled, &other).unwrap().reason, "OutOfMemory");
    }

    #[test]
    fn a_warning_is_told_once_beside_success() {
        let deaf = conditions(ConditionType::DeafWhileAsleep, ConditionStatus::True, "ChannelsNeedAwake");
        let told = warnings(&[], &deaf);
        assert_eq!((told.len(), told[0].tone), (1, Tone::Warning));
        assert_eq!(warnings(&deaf, &deaf), []);
        assert_eq!(news(&[], &deaf), None);
    }

    #[test]
    fn a_machine_that_is_fought_over_is_a_warning_and_one_that_is_updated_none() {
        let fought = conditions(ConditionType::ConfigApplied, ConditionStatus::False, "Drifted");
        assert_eq!(warnings(&[], &fought)[0].reason, "Drifted");
        assert_eq!(warnings(&fought, &fought), []);
        assert_eq!(
            warnings(&[], &conditions(ConditionType::ConfigApplied, ConditionStatus::False, "Updating")),
            []
        );
    }

    #[test]
    fn success_is_told_and_work_under_way_is_not() {
        let running = conditions(ConditionType::Ready, ConditionStatus::True, "Running");
        let stopped = conditions(ConditionType::Ready, ConditionStatus::True, "Stopped");
        let starting = conditions(ConditionType::Ready, ConditionStatus::Unknown, "Starting");
        assert_eq!(news(&running, &starting), None);
        assert_eq!(news(&starting, &running).unwrap().tone, Tone::Normal);
        assert_eq!(news(&running, &stopped).unwrap().reason, "Stopped");
        assert_eq!(news(&running, &running), None);
    }
}
