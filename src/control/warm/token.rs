//! Tokens of warm apps: each is made from one key and the app's identity, so that nothing has to be kept for each.

use ring::hmac;
use secrecy::SecretString;

use crate::api::reason;
use crate::control::context::Context;
use crate::control::own_key::{self, FIELD};
use crate::control::runtime::facts::Refusal;
use crate::control::runtime::token::hexadecimal;
use crate::control::runtime::trouble::Failure;

/// The Secret in the operator's namespace.
const SECRET: &str = "moorage-warm-tokens";
/// Its length in bytes.
const LENGTH: usize = 32;

/// The token of the warm app of this identity.
///
/// # Errors
/// If the key can't be read or made, or isn't one.
pub async fn token(ctx: &Context, identity: &str) -> Result<SecretString, Failure> {
    let standing = own_key::read_or_make(ctx, SECRET, LENGTH).await?;
    let Some(key) = standing.filter(|key| key.len() == LENGTH) else { return Err(unfit().into()) };
    Ok(SecretString::from(derived(&key, identity)))
}

fn derived(key: &[u8], identity: &str) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), identity.as_bytes());
    hexadecimal(tag.as_ref())
}

fn unfit() -> Refusal {
    Refusal::new(
        reason::SECRET_VALUE_INVALID,
        format!(
            "The Secret `{SECRET}` in the operator's namespace holds no usable key (`{FIELD}`, {LENGTH} bytes). Delete it and a new one is made; warm apps are then restarted once with other tokens."
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::derived;

    #[test]
    fn a_token_is_stable_and_each_app_has_its_own() {
        let (key, other) = ([1_u8; 32], [2_u8; 32]);
        assert_eq!(derived(&key, "abc"), derived(&key, "abc"));
        assert_ne!(derived(&key, "abc"), derived(&key, "abd"));
        assert_ne!(derived(&key, "abc"), derived(&other, "abc"));
        assert_eq!(derived(&key, "abc").len(), 64);
    }
}
