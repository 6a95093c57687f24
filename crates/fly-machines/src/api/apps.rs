//! Apps.

use secrecy::SecretString;

use super::{MOST_PAGES, too_many_pages};
use crate::client::Client;
use crate::error::{Error, Outcome, Result};
use crate::limit::RateClass;
use crate::path::Path;
use crate::transport::Call;
use crate::types::{App, AppDeletion, CreateApp, CreatedApp};

/// Calls about apps.
#[derive(Clone, Copy, Debug)]
pub struct Apps<'a> {
    client: &'a Client,
}

impl<'a> Apps<'a> {
    pub(crate) fn new(client: &'a Client) -> Self {
        Self { client }
    }

    /// Creates an app.
    ///
    /// # Errors
    /// `NameTaken`: [`Apps::get`] tells whose it is (`Forbidden` for another organisation's). `Ambiguous`: look the
    /// same way.
    pub async fn create(&self, app: &CreateApp) -> Result<CreatedApp> {
        let call = Call::post("apps.create", Path::new("apps")).counted_for(&app.name).body(app);
        self.client.transport().json(call).await
    }

    /// Reads an app.
    ///
    /// # Errors
    /// `NotFound` if the name is free, `Forbidden` if it is another organisation's. For up to a minute after the
    /// app's creation, `NotFound` and `Unauthorized` may only mean that it isn't known here yet.
    pub async fn get(&self, name: &str) -> Result<App> {
        let call = Call::get("apps.get", Path::new("apps").id(name)).counted_for(name);
        self.client.transport().json(call).await
    }

    /// Lists an organisation's apps, all pages. The list may lag.
    pub async fn list(&self, org_slug: &str) -> Result<Vec<App>> {
        let (mut apps, mut cursor) = (Vec::new(), None::<String>);
        for _ in 0..MOST_PAGES {
            let call = Call::get("apps.list", Path::new("apps"))
                .counted_for(org_slug)
                .query("org_slug", org_slug)
                .query_opt("cursor", cursor.take());
            let page: crate::types::AppsPage = self.client.transport().json(call).await?;
            apps.extend(page.apps);
            if page.next_cursor.is_empty() {
                return Ok(apps);
            }
            cursor = Some(page.next_cursor);
        }
        Err(too_many_pages("apps.list"))
    }

    /// Deletes an app and everything in it; the API goes on after it has answered.
    ///
    /// # Errors
    /// `NotFound` if it is gone already.
    pub async fn delete(&self, name: &str, deletion: AppDeletion) -> Result<()> {
        let call = Call::delete("apps.delete", Path::new("apps").id(name))
            .rate(RateClass::AppDelete)
            .query_if("force", deletion == AppDeletion::Force);
        self.client.transport().done(call).await
    }

    /// Makes a token that is good for this app only. `expiry` is a duration such as `24h`.
    pub async fn create_deploy_token(&self, name: &str, expiry: &str) -> Result<SecretString> {
        let call = Call::post("apps.deploy_token", Path::new("apps").id(name).then("deploy_token"))
            .counted_for(name)
            .body(&serde_json::json!({ "expiry": expiry }));
        let answer: crate::types::DeployTokenAnswer = self.client.transport().json(call).await?;
        answer.token.ok_or_else(|| {
            Error::useless_answer("apps.deploy_token", Outcome::Unknown, "the answer has no token")
        })
    }
}
