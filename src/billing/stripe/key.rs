//! Stripe's secret key.

use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

/// Whether money is real. Stripe's objects say so in their field `livemode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(from = "bool")]
pub enum Mode {
    /// It is.
    Live,
    /// It isn't.
    Test,
}

impl From<bool> for Mode {
    fn from(livemode: bool) -> Self {
        if livemode { Self::Live } else { Self::Test }
    }
}

/// The mode that a secret or restricted key is of.
///
/// # Errors
/// Why it can't be a key, without showing it.
pub fn mode_of(secret: &SecretString) -> Result<Mode, &'static str> {
    Key::new(secret).map(|key| key.mode)
}

/// A secret or restricted key that can go into a header.
#[derive(Clone)]
pub(super) struct Key {
    header: HeaderValue,
    pub(super) mode: Mode,
}

impl Key {
    /// Reads a key. The error says what is wrong without showing it.
    pub(super) fn new(secret: &SecretString) -> Result<Self, &'static str> {
        let text = secret.expose_secret().trim();
        let rest = text.strip_prefix("sk_").or_else(|| text.strip_prefix("rk_"));
        let mode = match rest {
            Some(rest) if rest.starts_with("live_") => Mode::Live,
            Some(rest) if rest.starts_with("test_") => Mode::Test,
            _ => return Err("a secret key begins with sk_live_, sk_test_, rk_live_ or rk_test_"),
        };
        let bearer = SecretString::from(format!("Bearer {text}"));
        let mut header = HeaderValue::from_str(bearer.expose_secret())
            .map_err(|_| "the secret key has a character that keys don't have")?;
        header.set_sensitive(true);
        Ok(Self { header, mode })
    }

    pub(super) fn header(&self) -> HeaderValue {
        self.header.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Result<Mode, &'static str> {
        Key::new(&SecretString::from(text)).map(|key| {
            assert!(key.header().is_sensitive());
            key.mode
        })
    }

    #[test]
    fn a_key_tells_its_mode_and_others_are_refused_without_showing_them() {
        assert_eq!(key("sk_test_1"), Ok(Mode::Test));
        assert_eq!(key(" rk_live_1\n"), Ok(Mode::Live));
        for text in ["", "pk_test_canary", "whsec_canary", "sk_canary", "sk_test_\u{7}canary"] {
            let cause = key(text).unwrap_err();
            assert!(!cause.contains("canary"), "{cause}");
        }
    }
}
