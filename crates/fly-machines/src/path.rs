//! Paths of the API, made from names that were checked and encoded.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What RFC 3986 leaves as it is.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// The longest name or id that is sent.
const LONGEST: usize = 255;

/// A path under `/v1`.
#[derive(Clone, Debug)]
pub(crate) struct Path {
    text: String,
    fault: Option<&'static str>,
}

impl Path {
    pub(crate) fn new(root: &'static str) -> Self {
        Self { text: format!("/v1/{root}"), fault: None }
    }

    /// Adds a fixed part.
    pub(crate) fn then(mut self, part: &'static str) -> Self {
        self.text.push('/');
        self.text.push_str(part);
        self
    }

    /// Adds a name or id. One that could lead elsewhere is kept as a fault and the path is never used.
    pub(crate) fn id(mut self, id: &str) -> Self {
        self.fault = self.fault.or_else(|| fault_of(id));
        self.text.push('/');
        self.text.extend(utf8_percent_encode(id, SEGMENT));
        self
    }

    /// The path, or why it can't be used.
    pub(crate) fn finish(&self) -> Result<&str, &'static str> {
        self.fault.map_or(Ok(&self.text), Err)
    }
}

fn fault_of(id: &str) -> Option<&'static str> {
    if id.is_empty() {
        Some("an empty name or id")
    } else if id.len() > LONGEST {
        Some("a name or id of more than 255 bytes")
    } else if id == "." || id == ".." {
        Some("a name or id that is a relative path")
    } else if id.contains(['/', '\\']) || id.chars().any(|c| c.is_control() || c.is_whitespace()) {
        Some("a name or id with a slash, a space or a control character")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_encoded() {
        let path = Path::new("apps").id("my-app").then("certificates").id("*.example.com");
        assert_eq!(path.finish(), Ok("/v1/apps/my-app/certificates/%2A.example.com"));
        assert_eq!(Path::new("x").id("fdaa::1").finish(), Ok("/v1/x/fdaa%3A%3A1"));
        assert_eq!(Path::new("x").id("a?b#c%2f").finish(), Ok("/v1/x/a%3Fb%23c%252f"));
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for id in ["", ".", "..", "a/b", "../machines", "a\\b", "a b", "a\0b", "a\nb", &"x".repeat(256)] {
            assert!(Path::new("apps").id(id).then("machines").finish().is_err(), "{id:?}");
        }
    }
}
