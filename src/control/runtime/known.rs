//! What is known of something outside, and how well its absence is proved.

use jiff::{SignedDuration, Timestamp};

/// What is known about something outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Known<T> {
    /// Nothing: it has to be looked at.
    #[default]
    Unknown,
    /// It wasn't there when looked for.
    Missing(Absence),
    /// It is there.
    Present(T),
}

/// With which spec secret values were last compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compared {
    /// With none, or a Secret has changed since.
    Never,
    /// With this generation's.
    With(i64),
}

/// How well something's absence is proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Absence {
    /// When it was first missed.
    pub first: Timestamp,
    /// When it was last missed.
    pub last: Timestamp,
    /// Whether it can exist at all.
    pub kind: AbsenceKind,
}

/// Why something isn't there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AbsenceKind {
    /// We made its parent just now, so it can't be there yet.
    NotMade,
    /// It wasn't found.
    NotFound,
    /// It was seen to be gone by its id, after we removed it or Fly said so.
    Gone,
}

/// What to make of an absence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// It is proved.
    Proved,
    /// Look again.
    LookAgain,
    /// Look again after this time.
    Wait(SignedDuration),
}

/// Where a Machine was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// At the Machine itself, in full.
    Machine,
    /// In the organisation's list, which shows state, version and our marks: enough to see that nothing is to be
    /// done, and for nothing else.
    List,
}

impl Absence {
    /// Missed at `now`.
    pub fn at(now: Timestamp, kind: AbsenceKind) -> Self {
        Self { first: now, last: now, kind }
    }

    /// Two looks that are `grace` apart prove an absence; for what can't exist yet none is needed.
    pub fn proof(&self, now: Timestamp, grace: SignedDuration) -> Proof {
        let due = self.first.saturating_add(grace).unwrap_or(Timestamp::MAX);
        if self.kind != AbsenceKind::NotFound || self.last >= due {
            Proof::Proved
        } else if now >= due {
            Proof::LookAgain
        } else {
            Proof::Wait(now.duration_until(due))
        }
    }
}

impl<T> Known<T> {
    /// What is there, if it is.
    pub fn present(&self) -> Option<&T> {
        match self {
            Self::Present(value) => Some(value),
            Self::Unknown | Self::Missing(_) => None,
        }
    }

    /// Notes that it wasn't found at `now`, keeping when it was first missed.
    pub fn miss(&mut self, now: Timestamp) {
        *self = Self::Missing(match *self {
            Self::Missing(absence) => Absence { last: now, ..absence },
            Self::Unknown | Self::Present(_) => Absence::at(now, AbsenceKind::NotFound),
        });
    }
}
