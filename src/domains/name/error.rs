//! Why a text isn't a hostname that is taken, for the person who wrote it.

use super::LONGEST;

/// Longest part of a text that is shown, in characters.
const SHOWN: usize = 80;

/// Why a text isn't a hostname that is taken: cause and remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing stands there.
    #[error("The hostname is empty. Give one, such as www.example.com.")]
    Empty,
    /// It doesn't fit into DNS with what is put before it.
    #[error("The hostname takes {0} octets in DNS, and at most {LONGEST} have room. Choose a shorter one.")]
    TooLong(usize),
    /// One label doesn't fit.
    #[error("`{0}` takes more than the 63 octets that a label may have in DNS. Choose a shorter one.")]
    LabelTooLong(String),
    /// Two dots in a row, or one in front.
    #[error("The hostname has a dot with nothing before it. Remove that dot.")]
    EmptyLabel,
    /// It is an address.
    #[error("`{0}` reads as an IP address. Give a hostname that leads to it, such as www.example.com.")]
    Address(String),
    /// It has no dot.
    #[error("`{0}` is a single word. Give the whole hostname, such as www.example.com.")]
    SingleLabel(String),
    /// Anybody may register below it.
    #[error(
        "`{0}` is a suffix below which anybody can have a name, so nobody can have all of it. Give your own name below it, such as yours.{0}."
    )]
    PublicSuffix(String),
    /// A star where none may be.
    #[error("A `*` may only be the whole first label, once, as in *.example.com. Remove any other.")]
    Star,
    /// An underscore.
    #[error("`{0}` has an underscore, which hostnames may not have. Rename it with a dash or without.")]
    Underscore(String),
    /// Characters, or an order of them, that DNS names don't have.
    #[error(
        "`{0}` can't be part of a hostname. Use letters, digits and dashes, with no dash at either end and not two as third and fourth character."
    )]
    Malformed(String),
    /// Scripts that nobody writes together.
    #[error("`{0}` mixes scripts that look alike. Write it in one script.")]
    MixedScripts(String),
    /// Characters that no language writes words with.
    #[error("`{0}` has characters that aren't used to write words. Use letters, digits and dashes.")]
    Characters(String),
    /// It passes for another name.
    #[error("`{label}` can be taken for `{passes_for}`. Use that name, or one that looks different.")]
    Confusable {
        /// The label.
        label: String,
        /// What people read.
        passes_for: String,
    },
}

/// A part of somebody's text as it can be shown: bounded, and nothing in it that is invisible or turns the line round.
pub(super) fn shown(text: &str) -> String {
    let mut shown = String::new();
    for c in text.chars().take(SHOWN) {
        if c.is_alphanumeric() || c.is_ascii_graphic() {
            shown.push(c);
        } else {
            shown.extend(c.escape_unicode());
        }
    }
    shown
}
