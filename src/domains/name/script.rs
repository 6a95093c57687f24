//! Names that deceive by what they are written in, found by Unicode's own tables (UTS #39).

use unicode_security::confusable_detection::skeleton;
use unicode_security::{RestrictionLevel, RestrictionLevelDetection};

use super::NameError;
use super::error::shown;

/// Joiners are invisible, but some scripts need them; UTS #46 has seen to it that they stand only there.
const JOINERS: [char; 2] = ['\u{200c}', '\u{200d}'];
/// Letters that the tables turn into ASCII ones, but whose readers don't.
const DISTINCT: [char; 3] = ['æ', 'œ', 'þ'];

/// Whether the name, in U-labels, is what it seems to be.
pub(super) fn check(unicode: &str) -> Result<(), NameError> {
    let ends_in_ascii = unicode.rsplit('.').next().is_some_and(str::is_ascii);
    for label in unicode.split('.').filter(|label| !label.is_ascii()) {
        check_scripts(label)?;
        if ends_in_ascii {
            check_look(label)?;
        }
    }
    Ok(())
}

/// One script, or one of the mixtures that Chinese, Japanese and Korean are written in.
fn check_scripts(label: &str) -> Result<(), NameError> {
    match label.replace(JOINERS, "").as_str().detect_restriction_level() {
        RestrictionLevel::ASCIIOnly
        | RestrictionLevel::SingleScript
        | RestrictionLevel::HighlyRestrictive => Ok(()),
        RestrictionLevel::Unrestricted => Err(NameError::Characters(shown(label))),
        RestrictionLevel::ModeratelyRestrictive | RestrictionLevel::MinimallyRestrictive => {
            Err(NameError::MixedScripts(shown(label)))
        }
    }
}

/// Among ASCII names, one in another script that looks like ASCII is taken for ASCII.
fn check_look(label: &str) -> Result<(), NameError> {
    let passes_for: String = skeleton(label).collect();
    if passes_for.is_ascii() && !label.contains(DISTINCT) {
        return Err(NameError::Confusable { label: shown(label), passes_for: shown(&passes_for) });
    }
    Ok(())
}
