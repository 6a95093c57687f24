//! Who the agent is: the persona, and the `IDENTITY.md` made from it.

/// The longest name that is kept, in characters.
pub const MAX_NAME_CHARS: usize = 64;

/// The agent's public face.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Persona {
    name: String,
}

impl Persona {
    /// A persona by its name. Line breaks and other control characters become
    /// single spaces and the rest beyond [`MAX_NAME_CHARS`] is cut, so that a
    /// name can't write further lines of `IDENTITY.md`. None when nothing is left.
    pub fn named(name: &str) -> Option<Self> {
        let breaks = |c: char| c.is_whitespace() || c.is_control() || is_invisible(c);
        let words: Vec<&str> = name.split(breaks).filter(|word| !word.is_empty()).collect();
        let cut: String = words.join(" ").chars().take(MAX_NAME_CHARS).collect();
        // OpenClaw drops these around a value, so a name never begins or ends with them.
        let name = cut.trim_matches(|c: char| c.is_whitespace() || "*_`".contains(c));
        (!name.is_empty()).then(|| Self { name: name.to_owned() })
    }

    /// The name, on one line.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Marks that turn the direction of text, and so could hide what a line says.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// The `IDENTITY.md` for a workspace that has none yet.
pub fn identity_markdown(persona: &Persona) -> String {
    format!("# IDENTITY.md - Who Am I?\n\n- **Name:** {}\n", persona.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_the_name_line() {
        let persona = Persona::named("Ada").unwrap();
        assert_eq!(identity_markdown(&persona), "# IDENTITY.md - Who Am I?\n\n- **Name:** Ada\n");
    }

    #[test]
    fn a_name_stays_on_its_line() {
        let persona = Persona::named("Ada\r\n- **Emoji:** x\u{2028}\u{202e}y\0z").unwrap();
        assert_eq!(persona.name(), "Ada - **Emoji:** x y z");
        assert_eq!(identity_markdown(&persona).lines().count(), 3);
    }

    #[test]
    fn a_name_is_bounded_by_characters() {
        let persona = Persona::named(&"é".repeat(300)).unwrap();
        assert_eq!(persona.name().chars().count(), MAX_NAME_CHARS);
    }

    #[test]
    fn a_name_has_no_marks_around_it() {
        assert_eq!(Persona::named("**Ada Lovelace** ").unwrap().name(), "Ada Lovelace");
    }

    #[test]
    fn nothing_is_no_name() {
        for name in ["", " \n\t", "***", "\u{200b}"] {
            assert_eq!(Persona::named(name), None, "{name:?}");
        }
    }
}
