//! Which Runtimes of a Blueprint may be upgraded next. Pure.
//!
//! What counts against the limit is read from claims, from what the operator itself has seen, and from permits that
//! were given and aren't used yet. What isn't known counts against it too, so that a restart forgets nothing.

/// A Runtime of the Blueprint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its UID.
    pub uid: String,
    /// How far the Blueprint's last edit has reached it.
    pub stage: Stage,
    /// Whether it serves.
    pub standing: Standing,
    /// Whether it may begin an upgrade.
    pub permit: Permit,
    /// Whether what is rolled out failed on it before.
    pub record: Record,
}

/// How far the Blueprint's last edit has reached a Runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It runs it.
    Current,
    /// It was moved to it while it was off, and hasn't started since.
    Unproved,
    /// It runs an older one.
    Outdated,
    /// It runs an older one and can't be moved: it is held, or its Plan is too small.
    Held,
    /// It runs an older one, since this one failed on it.
    Failed,
    /// It is on its way.
    Moving,
    /// It failed, and is on its way back.
    GoingBack,
    /// It was deleted.
    Gone,
}

/// Whether what is rolled out failed on a Runtime, and hasn't served there since.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Record {
    /// It didn't.
    #[default]
    Clean,
    /// It did, whatever is tried there now.
    Failed,
}

/// Whether a Runtime serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It does.
    Serving,
    /// It is off, and should be; or was never up.
    Off,
    /// It should serve and doesn't.
    Down,
    /// It wasn't looked at since the operator began.
    Unknown,
}

/// Whether a Runtime may begin an upgrade.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Permit {
    /// It may not.
    #[default]
    None,
    /// It may.
    Granted,
}

/// What becomes of a rollout when an upgrade fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// No more are begun.
    Pause,
    /// It goes on with the others.
    GoOn,
}

/// Whether what is rolled out has served anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// It has.
    Proved,
    /// It hasn't, as far as is known.
    None,
}

/// How a Staged rollout goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Nothing is left to do.
    Done,
    /// Some are on their way.
    Going,
    /// None may begin: too many are unavailable, or those that are left are held.
    Waiting,
    /// None may begin, since one failed.
    Paused,
    /// None of those that are off may begin, since it hasn't served anywhere yet.
    Unproved,
}

/// Who may begin, and how it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picked {
    /// UIDs of those that may begin now.
    pub grants: Vec<String>,
    /// UIDs of those that were let begin, haven't, and may not any more.
    pub withdrawals: Vec<String>,
    /// How it goes.
    pub progress: Progress,
}

impl Member {
    /// Whether it counts against the limit. One that was moved while it was off may fail at its next start: until what
    /// it was moved to has served anywhere, it counts.
    pub fn is_busy(&self, proof: Proof) -> bool {
        matches!(self.stage, Stage::Moving | Stage::GoingBack)
            || (self.stage == Stage::Unproved && proof == Proof::None)
            || self.permit == Permit::Granted
            || matches!(self.standing, Standing::Down | Standing::Unknown)
    }

    /// Whether the upgrade failed on it, though it may be tried again just now.
    pub fn has_failed(&self) -> bool {
        self.record == Record::Failed || matches!(self.stage, Stage::Failed | Stage::GoingBack)
    }

    fn is_candidate(&self, proof: Proof) -> bool {
        self.stage == Stage::Outdated && !self.is_busy(proof)
    }

    /// Whether it is up and has a part in the rollout: it shows by itself whether the new one works.
    fn may_prove(&self) -> bool {
        let held = matches!(self.stage, Stage::Held | Stage::Unproved);
        self.standing != Standing::Off && !held
    }
}

/// Picks those that may begin: those that serve first, since only they prove at once that the new one works. Those that
/// are off fail no sooner than they start: they wait until it has served, if there is anyone who can show that. Of those
/// that were picked before and haven't begun, as many may no more as are too many now.
pub fn pick(max_unavailable: usize, on_failure: OnFailure, proof: Proof, members: &[Member]) -> Picked {
    let failed = members.iter().any(Member::has_failed);
    if failed && on_failure == OnFailure::Pause {
        let withdrawals = permitted(members).map(|member| member.uid.clone()).collect();
        return Picked { grants: Vec::new(), withdrawals, progress: Progress::Paused };
    }
    let busy = members.iter().filter(|member| member.is_busy(proof)).count();
    let blind = proof == Proof::None && members.iter().any(Member::may_prove);
    let may_begin =
        |member: &&Member| member.is_candidate(proof) && !(blind && member.standing == Standing::Off);
    let mut candidates: Vec<&Member> = members.iter().filter(may_begin).collect();
    candidates.sort_by_key(|member| (member.standing != Standing::Serving, &member.uid));
    let free = max_unavailable.saturating_sub(busy);
    let grants: Vec<String> = candidates.iter().take(free).map(|member| member.uid.clone()).collect();
    let withdrawals = excess(max_unavailable, proof, busy, members);
    Picked { progress: progress(proof, members, &grants), grants, withdrawals }
}

fn permitted(members: &[Member]) -> impl Iterator<Item = &Member> {
    members.iter().filter(|member| member.permit == Permit::Granted)
}

/// Those whose permit is one too many. One that is down counts with its permit or without.
fn excess(max_unavailable: usize, proof: Proof, busy: usize, members: &[Member]) -> Vec<String> {
    let is_free_without = |member: &&Member| {
        let without = Member { permit: Permit::None, ..Member::clone(member) };
        !without.is_busy(proof)
    };
    let by_permit: Vec<&Member> = permitted(members).filter(is_free_without).collect();
    let uids = |left: &[&Member]| left.iter().map(|member| member.uid.clone()).collect();
    match max_unavailable.checked_sub(busy.saturating_sub(by_permit.len())) {
        Some(room) => uids(by_permit.get(room..).unwrap_or_default()),
        None => uids(&permitted(members).collect::<Vec<_>>()),
    }
}

fn progress(proof: Proof, members: &[Member], grants: &[String]) -> Progress {
    let moving = |member: &Member| {
        matches!(member.stage, Stage::Moving | Stage::GoingBack)
            || member.permit == Permit::Granted
            || (member.standing == Standing::Unknown && member.stage != Stage::Current)
    };
    let left = |member: &Member| matches!(member.stage, Stage::Outdated | Stage::Held);
    let waits = |member: &Member| member.is_candidate(proof) && member.standing == Standing::Off;
    let down = members.iter().any(|member| member.standing == Standing::Down);
    if !grants.is_empty() || members.iter().any(moving) {
        Progress::Going
    } else if proof == Proof::None && !down && members.iter().any(waits) {
        Progress::Unproved
    } else if members.iter().any(left) {
        Progress::Waiting
    } else {
        Progress::Done
    }
}

#[cfg(test)]
#[path = "pick_tests.rs"]
mod tests;
