//! What `/readyz` tells.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::engine::preflight::Fault;

/// Where the process stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// The checks at start haven't ended yet.
    #[default]
    Starting,
    /// Some of them fail, and are repeated.
    Faulty(Vec<Fault>),
    /// The lease can't be read or written, for this reason.
    NoLease(String),
    /// Another replica acts; this one is ready to take over.
    Standby,
    /// It acts as soon as its caches are filled.
    Filling,
    /// It acts.
    Working,
    /// It ends.
    Stopping,
}

impl Phase {
    /// Whether the process does, or stands ready to do, what it is for.
    pub fn is_ready(&self) -> bool {
        matches!(self, Self::Standby | Self::Working)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Starting => writeln!(f, "not ready: the checks at start are under way"),
            Self::Faulty(faults) => {
                writeln!(f, "not ready: checks fail, and are repeated")?;
                faults.iter().try_for_each(|fault| writeln!(f, "- {fault}"))
            }
            Self::NoLease(cause) => writeln!(f, "not ready: the lease can't be read or written: {cause}"),
            Self::Standby => writeln!(f, "ready: standby, another replica acts"),
            Self::Filling => writeln!(f, "not ready: the caches are being filled"),
            Self::Working => writeln!(f, "ready: acts"),
            Self::Stopping => writeln!(f, "not ready: it is ending"),
        }
    }
}

/// Where the process stands, for everyone who knows a part of it. Clones share everything.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Mutex<Phase>>);

impl Health {
    /// Where it stands now.
    pub fn phase(&self) -> Phase {
        self.lock().clone()
    }

    /// The process has come to another phase.
    pub fn enter(&self, phase: Phase) {
        *self.lock() = phase;
    }

    /// Every cache is filled: to be called once by the controllers.
    pub fn caches_filled(&self) {
        let mut phase = self.lock();
        if *phase == Phase::Filling {
            *phase = Phase::Working;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Phase> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::preflight::Check;

    #[test]
    fn filled_caches_make_nothing_ready_that_is_ending() {
        let health = Health::default();
        health.caches_filled();
        assert_eq!(health.phase(), Phase::Starting);
        health.enter(Phase::Filling);
        health.caches_filled();
        assert!(health.phase().is_ready());
        health.enter(Phase::Stopping);
        health.caches_filled();
        assert_eq!(health.phase(), Phase::Stopping);
    }

    #[test]
    fn every_fault_is_told_with_its_remedy() {
        let fault = |cause: &str| Fault {
            check: Check::FlyToken,
            cause: cause.into(),
            remedy: format!("mend {cause}"),
        };
        let text = Phase::Faulty(vec![fault("one"), fault("two")]).to_string();
        assert!(text.contains("fly-token: one; remedy: mend one\n"), "{text}");
        assert!(text.contains("fly-token: two; remedy: mend two\n"), "{text}");
    }
}
