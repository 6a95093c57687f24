//! What is remembered of a Runtime between visits, in two forms: whole while something is under way, and packed at rest,
//! where most of it is nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::memory::Entry;
use super::runtime::drift::Mends;
use super::runtime::facts::{
    Compared, EnvFact, Knowledge, Known, MachineFact, Origin, ProbeFact, Survey, Token, VolumeFact,
};
use super::runtime::hostname::Deeds;
use super::runtime::moving::Moving;
use super::runtime::step::Look;
use super::runtime::survey::Found;
use crate::api::Runtime;

/// An entry in one of its forms.
#[derive(Debug)]
pub enum Kept {
    /// All of it.
    Whole(Box<Entry>),
    /// What there is of it at rest.
    Packed(Box<Resting>),
}

/// What there is at rest.
#[derive(Debug)]
pub struct Resting {
    app: Known<Origin>,
    v6: Known<String>,
    v4: Known<String>,
    volume: Known<VolumeFact>,
    machine: Known<MachineFact>,
    compared: Option<Compared>,
    probe: Option<ProbeFact>,
    hostname: Option<Box<Deeds>>,
    moving: Option<Box<Moving>>,
    mends: Option<Box<Mends>>,
    survey: Survey,
    looked: Box<[(Look, Timestamp)]>,
    written: Option<Arc<Runtime>>,
    written_at: Option<Timestamp>,
}

impl Kept {
    /// Packs an entry, if it is at rest.
    pub fn pack(entry: Box<Entry>) -> Self {
        if is_at_rest(&entry.known) {
            Self::Packed(Box::new(Resting::of(*entry)))
        } else {
            Self::Whole(entry)
        }
    }

    /// The whole entry.
    pub fn unpack(self) -> Box<Entry> {
        match self {
            Self::Whole(entry) => entry,
            Self::Packed(resting) => Box::new(resting.entry()),
        }
    }

    /// What is known of the Machine.
    pub fn machine(&self) -> &Known<MachineFact> {
        match self {
            Self::Whole(entry) => &entry.known.machine,
            Self::Packed(resting) => &resting.machine,
        }
    }

    /// What was found amiss in the app.
    pub fn found(&self) -> Option<&Found> {
        match self {
            Self::Whole(entry) => entry.known.survey.found(),
            Self::Packed(resting) => resting.survey.found(),
        }
    }

    /// Whether a visit has come to its end.
    pub fn is_visited(&self) -> bool {
        match self {
            Self::Whole(entry) => entry.written.is_some(),
            Self::Packed(resting) => resting.written.is_some(),
        }
    }

    /// Whether something went wrong and is tried again.
    pub fn is_in_trouble(&self) -> bool {
        matches!(self, Self::Whole(entry) if entry.known.trouble.is_some())
    }
}

/// Whether nothing is known but what a [`Resting`] has. Every field is named, so that one that is added is thought of.
fn is_at_rest(known: &Knowledge) -> bool {
    let Knowledge {
        app: _,
        v6: _,
        v4: _,
        volume: _,
        machine: _,
        compared: _,
        probe: _,
        hostname: _,
        moving: _,
        mends: _,
        survey: _,
        looked: _,
        snapshot,
        token,
        env,
        secrets,
        full_regions,
        trouble,
        under_way,
        started,
        stop_asked,
        killed,
        stops,
        destroy_asked,
        snapshot_asked,
        pursuit,
        app_delete_asked,
        full_volume,
        removed_volumes,
    } = known;
    let idle = under_way.is_none() && started.is_none() && killed.is_none();
    let times = [stop_asked, destroy_asked, app_delete_asked];
    (*snapshot == Known::Unknown && snapshot_asked.is_none())
        && matches!((token, env), (Token::Unknown, EnvFact::Unknown))
        && (secrets.is_none() && trouble.is_none() && idle && pursuit.is_none())
        && times.iter().all(|time| time.is_none())
        && (full_regions.is_empty() && full_volume.is_none() && removed_volumes.is_empty() && *stops == 0)
}

impl Resting {
    fn of(entry: Entry) -> Self {
        let Entry { known, written, written_at } = entry;
        Self {
            app: known.app,
            v6: known.v6,
            v4: known.v4,
            volume: known.volume,
            machine: known.machine,
            compared: known.compared,
            probe: known.probe,
            hostname: (known.hostname != Deeds::default()).then(|| Box::new(known.hostname)),
            moving: (known.moving != Moving::default()).then(|| Box::new(known.moving)),
            mends: known.mends,
            survey: known.survey,
            looked: known.looked.into_iter().collect(),
            written,
            written_at,
        }
    }

    fn entry(self) -> Entry {
        let known = Knowledge {
            app: self.app,
            v6: self.v6,
            v4: self.v4,
            volume: self.volume,
            machine: self.machine,
            compared: self.compared,
            probe: self.probe,
            hostname: self.hostname.map(|deeds| *deeds).unwrap_or_default(),
            moving: self.moving.map(|moving| *moving).unwrap_or_default(),
            mends: self.mends,
            survey: self.survey,
            looked: self.looked.into_iter().collect::<BTreeMap<_, _>>(),
            ..Knowledge::default()
        };
        Entry { known, written: self.written, written_at: self.written_at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::RuntimeSpec;

    fn known() -> Knowledge {
        let now = Timestamp::from_second(100).unwrap();
        Knowledge {
            app: Known::Present(Origin::Found),
            v6: Known::Present("2a09::1".into()),
            compared: Some(Compared::With(3)),
            hostname: Deeds { turn: Some(now), ..Deeds::default() },
            moving: Moving { of: 2, ..Moving::default() },
            survey: Survey::Clear,
            looked: BTreeMap::from([(Look::App, now)]),
            ..Knowledge::default()
        }
    }

    fn entry(known: Knowledge) -> Box<Entry> {
        let written = Some(Arc::new(Runtime::new("ops", RuntimeSpec::default())));
        Box::new(Entry { known, written, written_at: Some(Timestamp::UNIX_EPOCH) })
    }

    #[test]
    fn what_is_packed_comes_back_as_it_was() {
        let packed = Kept::pack(entry(known()));
        assert!(matches!(packed, Kept::Packed(_)) && packed.is_visited());
        let (back, whole) = (packed.unpack(), entry(known()));
        assert_eq!(format!("{back:?}"), format!("{whole:?}"));
    }

    #[test]
    fn while_something_is_under_way_all_is_kept() {
        let busy = [
            Knowledge { stops: 1, ..known() },
            Knowledge { full_volume: Some("vol_1".into()), ..known() },
            Knowledge { destroy_asked: Some(Timestamp::UNIX_EPOCH), ..known() },
            Knowledge { env: EnvFact::Known(Arc::default()), ..known() },
        ];
        for known in busy {
            assert!(matches!(Kept::pack(entry(known)), Kept::Whole(_)));
        }
    }
}
