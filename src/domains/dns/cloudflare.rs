//! Records at Cloudflare, by its API. A record's mark stands in its comment.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{ADDRESS_TTL, Change, Host, Provider, TEXT_TTL, Text};
use crate::domains::DomainError;
use crate::domains::error::quoted;
use crate::domains::secret::Secrets;
use crate::engine::config::base_domain::Cloudflare;

/// Longest time that one request may take.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Most records of one name that are read.
const PAGE: u32 = 100;

/// One zone.
pub struct Zone {
    settings: Cloudflare,
    secrets: Secrets,
    http: reqwest::Client,
}

#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(default)]
    success: bool,
    #[serde(default)]
    errors: Vec<Problem>,
    #[serde(default)]
    result: Value,
}

#[derive(Debug, Deserialize)]
struct Problem {
    #[serde(default)]
    code: i64,
    #[serde(default)]
    message: String,
}

#[derive(Debug, Deserialize)]
struct Record {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    content: String,
    #[serde(default)]
    comment: Option<String>,
}

impl Zone {
    /// The zone that is configured.
    pub fn new(settings: Cloudflare, secrets: Secrets) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self { settings, secrets, http })
    }

    async fn set(&self, host: &Host, addresses: &[IpAddr]) -> Result<(), DomainError> {
        let standing = self.records(&host.name).await?;
        let is_ours = |record: &Record| record.comment.as_deref() == Some(&comment(host));
        if standing.iter().any(|record| routes(record) && !is_ours(record)) {
            return Err(DomainError::taken(&host.name));
        }
        let wanted: Vec<(&str, String)> =
            addresses.iter().map(|address| (kind(*address), address.to_string())).collect();
        let same = |record: &Record, (kind, content): &(&str, String)| {
            record.kind == *kind && same_address(&record.content, content)
        };
        for one in &wanted {
            if !standing.iter().any(|record| same(record, one)) {
                let body = json!({"type": one.0, "name": host.name, "content": one.1, "ttl": ADDRESS_TTL, "proxied": false, "comment": comment(host)});
                self.call(Method::POST, "dns_records", Some(body)).await?;
            }
        }
        let stale = |record: &&Record| routes(record) && !wanted.iter().any(|one| same(record, one));
        for record in standing.iter().filter(stale) {
            self.delete(&record.id).await?;
        }
        Ok(())
    }

    async fn remove(&self, host: &Host) -> Result<(), DomainError> {
        let standing = self.records(&host.name).await?;
        let ours = |record: &&Record| routes(record) && record.comment.as_deref() == Some(&comment(host));
        for record in standing.iter().filter(ours) {
            self.delete(&record.id).await?;
        }
        Ok(())
    }

    async fn add(&self, text: &Text) -> Result<(), DomainError> {
        if self.texts(text).await?.is_empty() {
            let body = json!({"type": "TXT", "name": text.name, "content": format!("\"{}\"", text.value), "ttl": TEXT_TTL});
            self.call(Method::POST, "dns_records", Some(body)).await?;
        }
        Ok(())
    }

    async fn texts(&self, text: &Text) -> Result<Vec<Record>, DomainError> {
        let mut all = self.records(&text.name).await?;
        all.retain(|record| record.kind == "TXT" && record.content.trim_matches('"') == text.value);
        Ok(all)
    }

    async fn records(&self, name: &str) -> Result<Vec<Record>, DomainError> {
        let path = format!("dns_records?name={name}&per_page={PAGE}");
        let result = self.call(Method::GET, &path, None).await?;
        serde_json::from_value(result).map_err(|_| {
            DomainError::dns_unavailable("Cloudflare's answer can't be understood; it is asked again.")
        })
    }

    async fn delete(&self, id: &str) -> Result<(), DomainError> {
        let id: String = id.chars().filter(char::is_ascii_alphanumeric).collect();
        self.call(Method::DELETE, &format!("dns_records/{id}"), None).await.map(drop)
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value, DomainError> {
        let token = self.secrets.read(&self.settings.token).await?;
        let base = self.settings.api_url.trim_end_matches('/');
        let url = format!("{base}/zones/{}/{path}", self.settings.zone_id);
        let is_removal = method == Method::DELETE;
        let mut request = self.http.request(method, url).bearer_auth(token.expose_secret());
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.map_err(|error| unreachable(&error))?;
        let status = response.status();
        if is_removal && status == StatusCode::NOT_FOUND {
            return Ok(Value::Null);
        }
        let pause = retry_after(&response);
        let answer: Option<Answer> = response.json().await.ok();
        match answer {
            Some(answer) if status.is_success() && answer.success => Ok(answer.result),
            answer => Err(refusal(status, answer.as_ref()).retry_after(pause)),
        }
    }
}

impl Provider for Zone {
    fn set_addresses<'c>(&'c self, host: &'c Host, addresses: &'c [IpAddr]) -> Change<'c> {
        Box::pin(self.set(host, addresses))
    }

    fn remove_addresses<'c>(&'c self, host: &'c Host) -> Change<'c> {
        Box::pin(self.remove(host))
    }

    fn add_text<'c>(&'c self, text: &'c Text) -> Change<'c> {
        Box::pin(self.add(text))
    }

    fn remove_text<'c>(&'c self, text: &'c Text) -> Change<'c> {
        Box::pin(async move {
            for record in self.texts(text).await? {
                self.delete(&record.id).await?;
            }
            Ok(())
        })
    }
}

fn comment(host: &Host) -> String {
    format!("moorage: {}", host.owner)
}

/// Whether the record says where the name leads.
fn routes(record: &Record) -> bool {
    matches!(record.kind.as_str(), "A" | "AAAA" | "CNAME")
}

fn kind(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "A" } else { "AAAA" }
}

/// An IPv6 address has several spellings.
fn same_address(one: &str, other: &str) -> bool {
    one.parse::<IpAddr>().is_ok_and(|one| other.parse() == Ok(one))
}

fn retry_after(response: &reqwest::Response) -> Option<Duration> {
    let seconds = response.headers().get(http::header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn unreachable(error: &reqwest::Error) -> DomainError {
    tracing::debug!(%error, "Cloudflare can't be reached");
    DomainError::dns_unavailable("Cloudflare's API doesn't answer; it is tried again.")
}

fn refusal(status: StatusCode, answer: Option<&Answer>) -> DomainError {
    let problem = answer.and_then(|answer| answer.errors.first());
    let said = problem.map(|it| format!(": {} ({})", quoted(&it.message), it.code)).unwrap_or_default();
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => DomainError::dns_refused(format!(
            "Cloudflare refuses the API token{said}. Give one with Zone.DNS Edit for this zone."
        )),
        StatusCode::TOO_MANY_REQUESTS => {
            DomainError::dns_unavailable("Cloudflare asks us to slow down; it is tried again.")
        }
        status if status.is_server_error() => DomainError::dns_unavailable(format!(
            "Cloudflare answers {}; it is tried again.",
            status.as_u16()
        )),
        status => DomainError::dns_refused(format!(
            "Cloudflare refuses the record with {}{said}. Check the zone's id and what stands under this name.",
            status.as_u16()
        )),
    }
}
