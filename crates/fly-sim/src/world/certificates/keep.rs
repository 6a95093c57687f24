//! Adding hostnames and certificates to apps, and removing them.

use serde_json::{Value, json};

use super::no_certificate;
use crate::dns::bare;
use crate::error::{ApiError, ApiResult};
use crate::model::certificate::{Certificate, Custom};
use crate::world::state::State;

impl State {
    /// Adds a hostname; 422 when the app has it already.
    pub fn add_hostname(&mut self, app: &str, hostname: &str) -> ApiResult<&mut Certificate> {
        check_hostname(hostname)?;
        if self.app(app)?.certificates.contains_key(hostname) {
            return Err(already_exists());
        }
        let certificate = Certificate::new(hostname, self.ids.alphanumeric(5), self.now);
        self.hostnames.entry(hostname.to_owned()).or_default().push(app.to_owned());
        self.effect("certificate.add", app, hostname, Value::Null);
        self.app_mut(app)?.certificates.insert(hostname.to_owned(), certificate);
        // Looked at by itself even if whoever added it goes away meanwhile.
        self.arm(app, hostname, self.now + self.settings.certificate_recheck_ms);
        self.certificate_mut(app, hostname)
    }

    /// Has Fly get a certificate for a hostname, which is added if need be; 422 when Fly is asked already.
    pub fn request_certificate(&mut self, app: &str, hostname: &str) -> ApiResult<()> {
        match self.app(app)?.certificates.get(hostname) {
            Some(known) if known.acme_requested => return Err(already_exists()),
            Some(_) => self.effect("certificate.acme_add", app, hostname, Value::Null),
            None => drop(self.add_hostname(app, hostname)?),
        }
        self.certificate_mut(app, hostname)?.acme_requested = true;
        Ok(())
    }

    /// Takes a customer's certificate, in place of an earlier one.
    pub fn upload_certificate(&mut self, app: &str, hostname: &str, custom: Custom) -> ApiResult<()> {
        if !self.app(app)?.certificates.contains_key(hostname) {
            self.add_hostname(app, hostname)?;
        }
        let detail = json!({ "fingerprint": custom.fingerprint, "expiresAt": custom.expires_at });
        self.effect("certificate.upload", app, hostname, detail);
        let now = self.now;
        let certificate = self.certificate_mut(app, hostname)?;
        certificate.custom = Some(custom);
        certificate.updated_at = now;
        Ok(())
    }

    /// Removes a hostname with all its certificates.
    pub fn remove_hostname(&mut self, app: &str, hostname: &str) -> ApiResult<()> {
        let removed = self.app_mut(app)?.certificates.remove(hostname).ok_or_else(no_certificate)?;
        self.forget_hostname(app, &removed);
        Ok(())
    }

    /// A hostname is gone, or its app is.
    pub(in crate::world) fn forget_hostname(&mut self, app: &str, removed: &Certificate) {
        if let Some(apps) = self.hostnames.get_mut(&removed.hostname) {
            apps.retain(|one| one != app);
            if apps.is_empty() {
                self.hostnames.remove(&removed.hostname);
            }
        }
        let fingerprint = removed.custom.as_ref().map(|custom| &custom.fingerprint);
        self.effect("certificate.delete", app, &removed.hostname, json!({ "fingerprint": fingerprint }));
    }

    /// Removes what Fly issued, and has it issue no more.
    pub fn remove_issued(&mut self, app: &str, hostname: &str) -> ApiResult<()> {
        let now = self.now;
        let certificate = self.certificate_mut(app, hostname)?;
        certificate.acme_requested = false;
        certificate.issued = None;
        certificate.issue_at = None;
        certificate.updated_at = now;
        self.effect("certificate.acme_delete", app, hostname, Value::Null);
        Ok(())
    }

    /// Removes the customer's certificate.
    pub fn remove_custom(&mut self, app: &str, hostname: &str) -> ApiResult<()> {
        let now = self.now;
        let certificate = self.certificate_mut(app, hostname)?;
        let removed = certificate.custom.take().map(|custom| custom.fingerprint);
        certificate.updated_at = now;
        self.effect("certificate.custom_delete", app, hostname, json!({ "fingerprint": removed }));
        Ok(())
    }
}

fn check_hostname(hostname: &str) -> ApiResult<()> {
    let bare = bare(hostname);
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let label = |label: &str| !label.is_empty() && label.len() <= 63 && label.chars().all(letters);
    if bare.len() <= 253 && bare.contains('.') && bare.split('.').all(label) {
        return Ok(());
    }
    Err(ApiError::unprocessable("Validation failed: Hostname is invalid"))
}

fn already_exists() -> ApiError {
    ApiError::unprocessable("Hostname already exists on app")
}
