//! Forms as both providers speak them: pairs of names and values, percent-encoded.

use std::fmt;

use form_urlencoded::Serializer;

/// The content type of a form.
pub(super) const CONTENT_TYPE: &str = "application/x-www-form-urlencoded";

/// A form to be sent. Its values may be secret, so nothing prints them.
#[derive(Clone, Default)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// Adds a field.
    pub(super) fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.push((name.into(), value.into()));
        self
    }

    /// Adds a field if there is a value.
    pub(super) fn with_some(self, name: &str, value: Option<impl Into<String>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Adds all fields of another.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// The fields as pairs.
    pub(super) fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    /// The form as it is sent.
    pub(super) fn encode(&self) -> String {
        Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}
