//! Volumes and snapshots.

use super::{MOST_PAGES, too_many_pages};
use crate::client::Client;
use crate::error::Result;
use crate::path::Path;
use crate::transport::Call;
use crate::types::{CreateVolume, ExtendedVolume, Snapshot, UpdateVolume, Volume};

/// Calls about the volumes of an app.
#[derive(Clone, Copy, Debug)]
pub struct Volumes<'a> {
    client: &'a Client,
    app: &'a str,
}

impl<'a> Volumes<'a> {
    pub(crate) fn new(client: &'a Client, app: &'a str) -> Self {
        Self { client, app }
    }

    fn root(&self) -> Path {
        Path::new("apps").id(self.app).then("volumes")
    }

    /// Creates a volume: empty, a fork of another, or from a snapshot.
    ///
    /// # Errors
    /// `Capacity(Region)`: try the next region. `Ambiguous`: list by name and region before repeating it.
    pub async fn create(&self, volume: &CreateVolume) -> Result<Volume> {
        let call = Call::post("volumes.create", self.root()).counted_for(self.app).body(volume);
        self.client.transport().json(call).await
    }

    /// Lists the app's volumes, all pages: also those on their way out, see [`VolumeState::is_gone`].
    ///
    /// [`VolumeState::is_gone`]: crate::types::VolumeState::is_gone
    pub async fn list(&self) -> Result<Vec<Volume>> {
        let (mut volumes, mut cursor) = (Vec::new(), None::<String>);
        for _ in 0..MOST_PAGES {
            let call = Call::get("volumes.list", self.root())
                .counted_for(self.app)
                .query_opt("cursor", cursor.take());
            let answer = self.client.transport().send(&call).await?;
            volumes.extend(answer.decode::<Option<Vec<Volume>>>(&call)?.unwrap_or_default());
            cursor = answer.next_cursor;
            if cursor.is_none() {
                return Ok(volumes);
            }
        }
        Err(too_many_pages("volumes.list"))
    }

    /// Reads a volume.
    ///
    /// # Errors
    /// `NotFound` if it is gone.
    pub async fn get(&self, id: &str) -> Result<Volume> {
        let call = Call::get("volumes.get", self.root().id(id)).counted_for(id);
        self.client.transport().json(call).await
    }

    /// Changes how a volume is backed up.
    pub async fn update(&self, id: &str, update: &UpdateVolume) -> Result<Volume> {
        let call = Call::put("volumes.update", self.root().id(id)).counted_for(id).body(update);
        self.client.transport().json(call).await
    }

    /// Makes a volume larger; it can't be made smaller.
    pub async fn extend(&self, id: &str, size_gb: u32) -> Result<ExtendedVolume> {
        let call = Call::put("volumes.extend", self.root().id(id).then("extend"))
            .counted_for(id)
            .body(&serde_json::json!({ "size_gb": size_gb }));
        self.client.transport().json(call).await
    }

    /// Deletes a volume. It stays listed for a while.
    ///
    /// # Errors
    /// `Settling` for up to some minutes after its Machine was destroyed; `NotFound` if it is gone already.
    pub async fn delete(&self, id: &str) -> Result<()> {
        let call = Call::delete("volumes.delete", self.root().id(id)).counted_for(id);
        self.client.transport().done(call).await
    }

    /// Lists a volume's snapshots; also after the volume was deleted, until they expire.
    pub async fn snapshots(&self, id: &str) -> Result<Vec<Snapshot>> {
        let call = Call::get("volumes.snapshots", self.root().id(id).then("snapshots")).counted_for(id);
        Ok(self.client.transport().json::<Option<Vec<Snapshot>>>(call).await?.unwrap_or_default())
    }

    /// Asks for a snapshot. It has no id yet: compare the list with that of before.
    ///
    /// # Errors
    /// `Settling` while one is being made.
    pub async fn create_snapshot(&self, id: &str) -> Result<()> {
        let call =
            Call::post("volumes.create_snapshot", self.root().id(id).then("snapshots")).counted_for(id);
        self.client.transport().done(call).await
    }
}
