//! App secrets.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;

use crate::client::Client;
use crate::error::Result;
use crate::path::Path;
use crate::transport::Call;
use crate::types::{AppSecret, SecretValues, SecretsAnswer, SecretsWire, SetSecret};

/// Calls about the secrets of an app.
#[derive(Clone, Copy, Debug)]
pub struct Secrets<'a> {
    client: &'a Client,
    app: &'a str,
}

#[derive(Serialize)]
struct Values<'a> {
    values: SecretValues<'a>,
}

#[derive(Serialize)]
struct Value<'a> {
    value: &'a str,
}

impl<'a> Secrets<'a> {
    pub(crate) fn new(client: &'a Client, app: &'a str) -> Self {
        Self { client, app }
    }

    fn root(&self) -> Path {
        Path::new("apps").id(self.app).then("secrets")
    }

    /// Lists the secrets, without their values.
    pub async fn list(&self) -> Result<Vec<AppSecret>> {
        let call = Call::get("secrets.list", self.root()).counted_for(self.app);
        Ok(self.client.transport().json::<SecretsWire>(call).await?.secrets)
    }

    /// Reads one secret, without its value.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    pub async fn get(&self, name: &str) -> Result<AppSecret> {
        let call = Call::get("secrets.get", self.root().id(name)).counted_for(self.app);
        self.client.transport().json(call).await
    }

    /// Sets several at once; `None` deletes. Machines that run see nothing of it until they are updated.
    ///
    /// The same call again has the same effect.
    pub async fn update(&self, values: &BTreeMap<String, Option<SecretString>>) -> Result<SecretsAnswer> {
        let call = Call::post("secrets.update", self.root())
            .counted_for(self.app)
            .body(&Values { values: SecretValues(values) });
        Ok(self.client.transport().json::<SecretsWire>(call).await?.into())
    }

    /// Sets one secret.
    pub async fn set(&self, name: &str, value: &SecretString) -> Result<SetSecret> {
        let call = Call::post("secrets.set", self.root().id(name))
            .counted_for(self.app)
            .body(&Value { value: value.expose_secret() });
        Ok(self.client.transport().json::<SecretsWire>(call).await?.into())
    }

    /// Deletes one secret; it is no error if there is none.
    pub async fn delete(&self, name: &str) -> Result<SetSecret> {
        let call = Call::delete("secrets.delete", self.root().id(name)).counted_for(self.app);
        Ok(self.client.transport().json::<SecretsWire>(call).await?.into())
    }
}
