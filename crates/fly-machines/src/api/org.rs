//! Organisation-wide lists: the state of thousands of apps in a few calls.

use crate::client::Client;
use crate::error::Result;
use crate::path::Path;
use crate::transport::Call;
use crate::types::{OrgMachinesPage, OrgQuery, OrgVolumesPage};

/// Calls about everything in an organisation. Each returns one page: go on with its `next_cursor`.
#[derive(Clone, Copy, Debug)]
pub struct Org<'a> {
    client: &'a Client,
    slug: &'a str,
}

impl<'a> Org<'a> {
    pub(crate) fn new(client: &'a Client, slug: &'a str) -> Self {
        Self { client, slug }
    }

    /// Lists Machines. What is missing proves nothing: see `error_regions`, and changes take time to show.
    pub async fn machines(&self, query: &OrgQuery) -> Result<OrgMachinesPage> {
        let call = self.list("org.machines", "machines", query);
        self.client.transport().json(call).await
    }

    /// Lists volumes, in the same way.
    pub async fn volumes(&self, query: &OrgQuery) -> Result<OrgVolumesPage> {
        let call = self.list("org.volumes", "volumes", query);
        self.client.transport().json(call).await
    }

    fn list(&self, operation: &'static str, what: &'static str, query: &OrgQuery) -> Call<'a> {
        let states = (!query.states.is_empty()).then(|| query.states.join(","));
        Call::get(operation, Path::new("orgs").id(self.slug).then(what))
            .counted_for(self.slug)
            .query_opt("updated_after", query.updated_after.map(|at| at.to_string()))
            .query_opt("cursor", query.cursor.as_deref())
            .query_if("include_deleted", query.include_deleted)
            .query_if("summary", query.summary)
            .query_opt("region", query.region.as_deref())
            .query_opt("state", states)
            .query_opt("limit", query.limit.map(|limit| limit.clamp(1, 2000).to_string()))
    }
}
