//! A Machine's metadata: labels that can be changed without a new version or a restart.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::client::Client;
use crate::error::Result;
use crate::path::Path;
use crate::transport::Call;
use crate::types::MetadataPatch;
use crate::types::wire::nullable;

/// Calls about the metadata of a Machine.
#[derive(Clone, Copy, Debug)]
pub struct Metadata<'a> {
    client: &'a Client,
    app: &'a str,
    machine: &'a str,
}

#[derive(Deserialize)]
struct Value {
    #[serde(default, deserialize_with = "nullable")]
    value: String,
}

impl<'a> Metadata<'a> {
    pub(crate) fn new(client: &'a Client, app: &'a str, machine: &'a str) -> Self {
        Self { client, app, machine }
    }

    fn root(&self) -> Path {
        Path::new("apps").id(self.app).then("machines").id(self.machine).then("metadata")
    }

    /// Reads all of it.
    pub async fn all(&self) -> Result<BTreeMap<String, String>> {
        let call = Call::get("metadata.list", self.root()).counted_for(self.machine);
        let answer: Option<BTreeMap<String, Option<String>>> = self.client.transport().json(call).await?;
        Ok(answer.unwrap_or_default().into_iter().filter_map(|(key, value)| Some((key, value?))).collect())
    }

    /// Reads one value.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    pub async fn get(&self, key: &str) -> Result<String> {
        let call = Call::get("metadata.get", self.root().id(key)).counted_for(self.machine);
        Ok(self.client.transport().json::<Value>(call).await?.value)
    }

    /// Sets one value.
    pub async fn set(&self, key: &str, value: &str) -> Result<()> {
        let call = Call::post("metadata.set", self.root().id(key))
            .counted_for(self.machine)
            .body(&serde_json::json!({ "value": value }));
        self.client.transport().done(call).await
    }

    /// Removes one value.
    pub async fn delete(&self, key: &str) -> Result<()> {
        let call = Call::delete("metadata.delete", self.root().id(key)).counted_for(self.machine);
        self.client.transport().done(call).await
    }

    /// Sets and removes several at once, and leaves the others alone.
    ///
    /// # Errors
    /// `Conflict` or `WrongState` if the Machine has another version than the patch names.
    pub async fn patch(&self, patch: &MetadataPatch) -> Result<()> {
        // PUT is the older name of the same merge, which every server of this API knows.
        let call = Call::put("metadata.patch", self.root()).counted_for(self.machine).body(patch);
        self.client.transport().done(call).await
    }
}
