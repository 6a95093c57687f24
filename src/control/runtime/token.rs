//! The gateway's token: a Secret that the Runtime owns.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Resource, ResourceExt};
use rand::RngCore;
use secrecy::{ExposeSecret, SecretString};

use super::desired::token_secret;
use super::facts::Token;
use super::trouble::Failure;
use crate::api::{FIELD_MANAGER, Runtime, label_key};
use crate::control::context::Context;

/// Key of the token in its Secret.
const KEY: &str = "token";

/// Makes the Secret with a random token, or with the one that is `given`, or reads the Secret that is there.
///
/// # Errors
/// If the API server refuses or can't be asked.
pub async fn ensure(ctx: &Context, runtime: &Runtime, given: Option<SecretString>) -> Result<Token, Failure> {
    let secrets: Api<Secret> = Api::namespaced(ctx.kube.clone(), &runtime.namespace().unwrap_or_default());
    // One that is shown was made: asking for it first is no write at rest.
    if runtime.status.as_ref().is_some_and(|status| status.gateway.is_some())
        && let Some(standing) = secrets.get_opt(&token_secret(&runtime.name_any())).await?
    {
        return Ok(read(&standing));
    }
    let fresh = given.unwrap_or_else(|| SecretString::from(random_token()));
    let params = PostParams { field_manager: Some(FIELD_MANAGER.into()), ..PostParams::default() };
    match secrets.create(&params, &secret(runtime, fresh.expose_secret())).await {
        Ok(_) => Ok(Token::Known(fresh)),
        Err(kube::Error::Api(status)) if status.is_already_exists() => {
            let standing = secrets.get(&token_secret(&runtime.name_any())).await?;
            Ok(read(&standing))
        }
        Err(error) => Err(error.into()),
    }
}

/// A token that was made by somebody else is as good, as long as it is one: it opens only its owner's gateway.
fn read(secret: &Secret) -> Token {
    let bytes = secret.data.as_ref().and_then(|data| data.get(KEY));
    let text = bytes.and_then(|bytes| std::str::from_utf8(&bytes.0).ok()).unwrap_or_default();
    let sound = (32..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if sound { Token::Known(SecretString::from(text)) } else { Token::Invalid }
}

fn secret(runtime: &Runtime, token: &str) -> Secret {
    Secret {
        metadata: ObjectMeta {
            name: Some(token_secret(&runtime.name_any())),
            labels: Some(BTreeMap::from([
                (label_key::RUNTIME.to_owned(), runtime.name_any().chars().take(63).collect()),
                (label_key::MANAGED_BY.to_owned(), FIELD_MANAGER.to_owned()),
            ])),
            owner_references: runtime.controller_owner_ref(&()).map(|owner| vec![owner]),
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from([(KEY.to_owned(), ByteString(token.as_bytes().to_vec()))])),
        ..Secret::default()
    }
}

/// 256 random bits in hexadecimal.
fn random_token() -> String {
    let mut bytes = [0_u8; 32];
    rand::rng().fill_bytes(&mut bytes);
    hexadecimal(&bytes)
}

/// Bytes in hexadecimal.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        for nibble in [byte >> 4, byte & 15] {
            text.extend(char::from_digit(u32::from(nibble), 16));
        }
        text
    })
}
