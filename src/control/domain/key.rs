//! The key that hostnames' proofs are made from: random, made once, in a Secret of the operator's own namespace.

use super::ownership::{KEY_LENGTH, Key};
use crate::api::reason;
use crate::control::context::Context;
use crate::control::own_key::{self, FIELD};
use crate::control::runtime::facts::Refusal;
use crate::control::runtime::trouble::Failure;

/// The Secret in the operator's namespace.
pub const SECRET: &str = "moorage-domain-key";

/// The key; read once in a process's life.
///
/// # Errors
/// If it can't be read or made, or isn't one.
pub async fn read(ctx: &Context) -> Result<Key, Failure> {
    if let Some(key) = ctx.domains.key() {
        return Ok(key);
    }
    let standing = own_key::read_or_make(ctx, SECRET, KEY_LENGTH).await?;
    let key = standing.as_deref().and_then(Key::new).ok_or_else(unfit)?;
    ctx.domains.keep_key(&key);
    Ok(key)
}

fn unfit() -> Failure {
    Refusal::new(
        reason::SECRET_VALUE_INVALID,
        format!(
            "The Secret `{SECRET}` in the operator's namespace holds no usable key (`{FIELD}`, {KEY_LENGTH} bytes). Restore it from a backup. If there is none, delete it: a new one is made, hostnames that are held stay so by their claims, and those that are pending get other records to set."
        ),
    )
    .into()
}
