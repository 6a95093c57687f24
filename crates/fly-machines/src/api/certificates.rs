//! Hostnames and their certificates.

use super::{MOST_PAGES, too_many_pages};
use crate::client::Client;
use crate::error::Result;
use crate::path::Path;
use crate::transport::Call;
use crate::types::{CertificateDetail, CertificateSummary, CertificatesPage, CustomCertificate};

/// Calls about the hostnames of an app.
#[derive(Clone, Copy, Debug)]
pub struct Certificates<'a> {
    client: &'a Client,
    app: &'a str,
}

impl<'a> Certificates<'a> {
    pub(crate) fn new(client: &'a Client, app: &'a str) -> Self {
        Self { client, app }
    }

    fn root(&self) -> Path {
        Path::new("apps").id(self.app).then("certificates")
    }

    /// Lists the hostnames, all pages.
    pub async fn list(&self) -> Result<Vec<CertificateSummary>> {
        let (mut all, mut cursor) = (Vec::new(), None::<String>);
        for _ in 0..MOST_PAGES {
            let call = Call::get("certificates.list", self.root())
                .counted_for(self.app)
                .query("limit", "500")
                .query_opt("cursor", cursor.take());
            let page: CertificatesPage = self.client.transport().json(call).await?;
            all.extend(page.certificates);
            if page.next_cursor.is_empty() {
                return Ok(all);
            }
            cursor = Some(page.next_cursor);
        }
        Err(too_many_pages("certificates.list"))
    }

    /// Adds a hostname, and has Fly get a certificate for it.
    ///
    /// # Errors
    /// `AlreadyExists`: read it, and go on.
    pub async fn request(&self, hostname: &str) -> Result<CertificateDetail> {
        let call = Call::post("certificates.request", self.root().then("acme"))
            .counted_for(self.app)
            .body(&serde_json::json!({ "hostname": hostname }));
        self.client.transport().json(call).await
    }

    /// Adds a certificate of the caller's own, or puts it in the place of an earlier one.
    ///
    /// It isn't shown to visitors before the hostname is proved to be the caller's: see [`CertificateDetail::served`].
    ///
    /// # Errors
    /// `Invalid` if it has expired, the key doesn't belong to it, or it isn't for this hostname.
    pub async fn import(&self, certificate: &CustomCertificate) -> Result<CertificateDetail> {
        let call = Call::post("certificates.import", self.root().then("custom"))
            .counted_for(self.app)
            .body(certificate);
        self.client.transport().json(call).await
    }

    /// Reads a hostname.
    pub async fn get(&self, hostname: &str) -> Result<CertificateDetail> {
        let call = Call::get("certificates.get", self.root().id(hostname)).counted_for(self.app);
        self.client.transport().json(call).await
    }

    /// Has Fly look at the hostname's DNS now, and start issuing if it can.
    pub async fn check(&self, hostname: &str) -> Result<CertificateDetail> {
        let call =
            Call::post("certificates.check", self.root().id(hostname).then("check")).counted_for(self.app);
        self.client.transport().json(call).await
    }

    /// Removes a hostname with all its certificates.
    ///
    /// # Errors
    /// `NotFound` if it is gone already.
    pub async fn delete(&self, hostname: &str) -> Result<()> {
        let call = Call::delete("certificates.delete", self.root().id(hostname)).counted_for(self.app);
        self.client.transport().done(call).await
    }

    /// Removes Fly's certificate and keeps an uploaded one.
    pub async fn delete_acme(&self, hostname: &str) -> Result<CertificateDetail> {
        let call = Call::delete("certificates.delete_acme", self.root().id(hostname).then("acme"))
            .counted_for(self.app);
        self.client.transport().json(call).await
    }

    /// Removes the uploaded certificate and keeps Fly's.
    pub async fn delete_custom(&self, hostname: &str) -> Result<CertificateDetail> {
        let call = Call::delete("certificates.delete_custom", self.root().id(hostname).then("custom"))
            .counted_for(self.app);
        self.client.transport().json(call).await
    }
}
