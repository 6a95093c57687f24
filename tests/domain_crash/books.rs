//! What passed the gates: the effects of each hostname, in order, and which of them is to be lost.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The effect by which an order is placed.
pub const ORDER: &str = "acme order-plz";

/// What is done to one effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// It never arrives.
    Request,
    /// It takes place, and its reply is lost.
    Reply,
    /// It takes place, and its reply is held until whoever asked has gone.
    Held,
}

/// An effect of a run: the n-th of its kind, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    pub kind: String,
    pub ordinal: usize,
}

#[derive(Debug, Default)]
struct Marked {
    /// Kinds of the effects that took place.
    done: Vec<String>,
    lose: Option<(Site, Loss)>,
    lost: bool,
}

#[derive(Debug, Default)]
struct Inner {
    marked: BTreeMap<String, Marked>,
    /// Words by which requests name marks.
    words: BTreeMap<String, String>,
    /// Marks whose orders the authority doesn't go on with, and those of them that it was asked to.
    stuck: BTreeSet<String>,
    refused: BTreeSet<String>,
}

/// The books of all gates.
#[derive(Clone, Default)]
pub struct Books(Arc<Mutex<Inner>>);

impl Books {
    /// Requests that hold this word are about `mark`.
    pub fn word(&self, word: &str, mark: &str) {
        self.lock().words.insert(word.to_owned(), mark.to_owned());
    }

    /// Begins to count the effects of `mark`, and loses one of them.
    pub fn mark(&self, mark: &str, lose: Option<(Site, Loss)>) {
        let marked = Marked { lose, ..Marked::default() };
        self.lock().marked.insert(mark.to_owned(), marked);
    }

    /// Whom a request is about.
    pub fn about(&self, text: &str) -> Option<String> {
        let inner = self.lock();
        let named = inner.words.iter().filter(|(word, _)| text.contains(word.as_str()));
        named.max_by_key(|(word, _)| word.len()).map(|(_, mark)| mark.clone())
    }

    /// From now on the authority takes orders of `mark`, and does nothing for them.
    pub fn stick(&self, mark: &str) {
        self.lock().stuck.insert(mark.to_owned());
    }

    /// Whether the authority refuses to do this.
    pub fn refuses(&self, mark: &str, kind: &str) -> bool {
        let mut inner = self.lock();
        let refuses = inner.stuck.contains(mark) && kind.starts_with("acme ") && kind != ORDER;
        if refuses {
            inner.refused.insert(mark.to_owned());
        }
        refuses
    }

    /// Whether the authority has refused to go on with an order of `mark`.
    pub fn was_refused(&self, mark: &str) -> bool {
        self.lock().refused.contains(mark)
    }

    /// What is to be done to an effect that is asked for. What the other side refuses doesn't count.
    pub fn asked(&self, mark: &str, kind: &str) -> Option<Loss> {
        let mut inner = self.lock();
        let marked = inner.marked.get_mut(mark).filter(|marked| !marked.lost)?;
        let ordinal = marked.done.iter().filter(|one| *one == kind).count() + 1;
        let (_, loss) =
            marked.lose.as_ref().filter(|(site, _)| site.kind == kind && site.ordinal == ordinal)?;
        let loss = *loss;
        marked.lost |= loss == Loss::Request;
        Some(loss)
    }

    /// Notes that an effect took place.
    pub fn done(&self, mark: &str, kind: &str, loss: Option<Loss>) {
        if let Some(marked) = self.lock().marked.get_mut(mark) {
            marked.done.push(kind.to_owned());
            marked.lost |= loss.is_some();
        }
    }

    /// The effects that took place.
    pub fn sites(&self, mark: &str) -> Vec<Site> {
        let done = self.lock().marked.get(mark).map(|marked| marked.done.clone()).unwrap_or_default();
        let ordinal = |at: usize| done[..=at].iter().filter(|one| **one == done[at]).count();
        done.iter().enumerate().map(|(at, kind)| Site { kind: kind.clone(), ordinal: ordinal(at) }).collect()
    }

    /// How often an effect of this kind took place.
    pub fn count(&self, mark: &str, kind: &str) -> usize {
        self.sites(mark).iter().filter(|site| site.kind == kind).count()
    }

    /// Whether the authority asked for no proof, since one was good already. Pebble does that with one authorization in
    /// a hundred at least, whatever `PEBBLE_AUTHZREUSE` says (`wfe.go` asks for more than that percentage).
    pub fn needed_no_proof(&self, mark: &str) -> bool {
        self.count(mark, "acme finalize-order") > 0 && self.count(mark, "acme chalZ") == 0
    }

    /// Whether what was to be lost came and was.
    pub fn lost(&self, mark: &str) -> bool {
        self.lock().marked.get(mark).is_some_and(|marked| marked.lost)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
