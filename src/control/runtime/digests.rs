//! Digests that Fly shows of an app's secrets: by them a value that somebody else has set is found. Pure.

use jiff::Timestamp;

use super::facts::Facts;
use super::survey::secret_names;
use crate::engine::hash::short_hash;

/// Characters of the mark.
const LENGTH: usize = 8;

/// How the digests that Fly shows of the app's secrets stand to those that are marked on the Machine. What a digest is
/// made of nobody says: it tells a change and no more. After each change of ours they are marked anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Digests {
    /// They are those that are marked, as far as is known.
    #[default]
    AsMarked,
    /// None are marked since the secrets were last set; these are shown.
    Unmarked(String),
    /// Somebody else has set a value, at this time by Fly's clock.
    Changed(Timestamp),
    /// The values were set again. A gateway that was started since that time has got the other one.
    SetAgain(Timestamp),
    /// What is marked doesn't count any more, and what is shown has to be looked at.
    Stale,
}

impl Digests {
    /// Whether somebody else has set a value.
    pub fn are_changed(&self) -> bool {
        matches!(self, Self::Changed(_))
    }

    /// Whether a value that somebody else had set is being put right.
    pub fn are_mended(&self) -> bool {
        matches!(self, Self::Changed(_) | Self::SetAgain(_))
    }

    /// What a look came to, when these are shown, of which the newest was set at `set`.
    pub fn seen(marked: Option<&str>, before: &Self, shown: String, set: Option<Timestamp>) -> Self {
        match (before, set) {
            _ if marked == Some(shown.as_str()) => Self::AsMarked,
            (Self::AsMarked | Self::Unmarked(_) | Self::Changed(_), Some(set)) if marked.is_some() => {
                Self::Changed(set)
            }
            _ => Self::Unmarked(shown),
        }
    }

    /// After our own setting of the secrets.
    pub fn set(&mut self) {
        *self = match self {
            Self::Changed(at) => Self::SetAgain(*at),
            _ => Self::Stale,
        };
    }
}

/// The mark of digests, by the names of secrets that are ours.
pub fn mark<'s>(facts: &Facts, shown: impl Iterator<Item = (&'s str, &'s str)>) -> String {
    let ours = |name: &str| secret_names(facts).any(|wanted| wanted == name);
    let mut shown: Vec<[&str; 2]> =
        shown.filter(|(name, _)| ours(name)).map(|(name, digest)| [name, digest]).collect();
    shown.sort_unstable();
    short_hash(shown.as_flattened(), LENGTH)
}
