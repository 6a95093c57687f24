//! Who takes payments, where they reach us, and what becomes of Runtimes that aren't paid for any more.

use std::net::SocketAddr;
use std::path::PathBuf;

use reqwest::Url;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ConfigError;

/// Path at which Stripe's events are taken, below `publicURL`.
pub const STRIPE_PATH: &str = "/webhooks/stripe";
/// Path at which PayApp's notices are taken, below `publicURL`.
pub const PAYAPP_PATH: &str = "/webhooks/payapp";
/// Stands for an order's namespace in `returnURL`.
pub const NAMESPACE: &str = "{namespace}";
/// Stands for an order's name in `returnURL`.
pub const ORDER: &str = "{order}";
/// Most secrets of Stripe's events: the old one and the new one, while one is rolled.
const SECRETS: usize = 2;
/// Least seconds between two readings of one order.
const SHORTEST_POLL: u32 = 10;

/// Payments, and what becomes of Runtimes that aren't paid for any more.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Billing {
    /// Seconds for which a Runtime runs on once its paid time is over.
    pub grace_seconds: u32,
    /// Seconds after that for which it is kept, stopped, before it is deleted as its deletion policy says.
    pub retention_seconds: u32,
    /// The account at Stripe. Left out, Stripe takes no payments here.
    pub stripe: Option<StripeAccount>,
    /// The merchant at PayApp. Left out, PayApp takes no payments here.
    pub payapp: Option<PayAppMerchant>,
    /// Where payment providers reach us from outside, without a path: `https://hooks.example.com`. PayApp can't do
    /// without; Stripe is also read now and then.
    #[serde(rename = "publicURL")]
    pub public_url: Option<String>,
    /// Where a customer's browser goes after paying; `{namespace}` and `{order}` stand for the order's.
    #[serde(rename = "returnURL")]
    pub return_url: Option<String>,
    /// IP address and port at which the providers' webhooks are served, once there is a provider.
    pub webhook_address: String,
}

/// An account at Stripe.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StripeAccount {
    /// File with a secret or restricted key; read again when it changes.
    pub secret_key_file: PathBuf,
    /// Files with the signing secrets (`whsec_…`) of the endpoint for events: one, and two while one is rolled. None:
    /// no events are taken, and orders are read now and then.
    #[serde(default)]
    pub webhook_secret_files: Vec<PathBuf>,
    /// Stripe's address, without a path.
    #[serde(rename = "apiURL", default = "default_stripe")]
    pub api_url: String,
    /// Whether the money is real. Left out, the key tells; given, a key of the other mode is refused.
    #[serde(default)]
    pub livemode: Option<bool>,
    /// Seconds after which an order that waits for a payment, or is paid again and again, is read anew without being
    /// told to.
    #[serde(default = "default_poll")]
    pub poll_seconds: u32,
}

/// A merchant at PayApp.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PayAppMerchant {
    /// The merchant's name at PayApp.
    #[serde(rename = "userID")]
    pub user_id: String,
    /// The shop's name, as customers read it.
    pub shop_name: String,
    /// File with the merchant's key (`linkkey`); read again when it changes.
    pub link_key_file: PathBuf,
    /// File with the merchant's value (`linkval`), which PayApp shows in its notices; read again when it changes.
    pub link_value_file: PathBuf,
    /// PayApp's address, with its path. Pages to pay at have to be PayApp's own; those of a stand-in, its.
    #[serde(rename = "apiURL", default = "default_payapp")]
    pub api_url: String,
}

impl Default for Billing {
    fn default() -> Self {
        Self {
            grace_seconds: 3 * 24 * 3600,
            retention_seconds: 30 * 24 * 3600,
            stripe: None,
            payapp: None,
            public_url: None,
            return_url: None,
            webhook_address: "127.0.0.1:8081".into(),
        }
    }
}

impl Billing {
    /// Whether anybody but the platform itself takes payments.
    pub fn has_provider(&self) -> bool {
        self.stripe.is_some() || self.payapp.is_some()
    }

    /// Our address for PayApp's notices, as PayApp is told it.
    pub fn notice_url(&self) -> Option<String> {
        self.public_url.as_ref().map(|url| format!("{}{PAYAPP_PATH}", url.trim_end_matches('/')))
    }

    /// Where the browser goes after an order of this name was paid.
    pub fn return_url(&self, namespace: &str, order: &str) -> Option<String> {
        let template = self.return_url.as_ref()?;
        Some(template.replace(NAMESPACE, namespace).replace(ORDER, order))
    }

    /// Whether the values can be meant, and go together.
    pub(super) fn check(&self, address: &str) -> Result<(), ConfigError> {
        let value = |field, problem| Err(ConfigError::Value { field, problem });
        if self.webhook_address.parse::<SocketAddr>().is_err() {
            return value(
                "billing.webhookAddress",
                "must be an IP address and a port, such as 127.0.0.1:8081",
            );
        }
        if self.has_provider() && self.webhook_address == address {
            return value("billing.webhookAddress", "must be another address or port than `address`");
        }
        if self.public_url.as_ref().is_some_and(|url| !is_origin(url)) {
            return value("billing.publicURL", "must be http or https with a host and no path");
        }
        let example = self.return_url("namespace", "order");
        if example.as_ref().is_some_and(|url| http(url).is_none()) {
            return value("billing.returnURL", "must be an http or https URL");
        }
        if self.has_provider() && example.is_none() {
            return value("billing.returnURL", "must say where the customer's browser goes after paying");
        }
        if self.payapp.is_some() && self.public_url.is_none() {
            return value("billing.publicURL", "must be set: PayApp asks us during each request to pay");
        }
        self.stripe.as_ref().map_or(Ok(()), StripeAccount::check)?;
        self.payapp.as_ref().map_or(Ok(()), PayAppMerchant::check)
    }
}

impl StripeAccount {
    fn check(&self) -> Result<(), ConfigError> {
        let value = |field, problem| Err(ConfigError::Value { field, problem });
        if self.webhook_secret_files.len() > SECRETS {
            return value("billing.stripe.webhookSecretFiles", "must be at most two, while one is rolled");
        }
        if !is_origin(&self.api_url) {
            return value("billing.stripe.apiURL", "must be http or https with a host and no path");
        }
        if self.poll_seconds < SHORTEST_POLL {
            return value("billing.stripe.pollSeconds", "must be at least 10");
        }
        Ok(())
    }
}

impl PayAppMerchant {
    fn check(&self) -> Result<(), ConfigError> {
        let value = |field, problem| Err(ConfigError::Value { field, problem });
        if self.user_id.is_empty() {
            return value("billing.payapp.userID", "must be the merchant's name at PayApp");
        }
        if self.shop_name.is_empty() {
            return value("billing.payapp.shopName", "must be the shop's name, as customers read it");
        }
        if http(&self.api_url).is_none() {
            return value("billing.payapp.apiURL", "must be an http or https URL");
        }
        Ok(())
    }
}

fn http(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// An address that paths are put behind.
fn is_origin(text: &str) -> bool {
    http(text).is_some_and(|url| url.path() == "/" && url.query().is_none() && url.fragment().is_none())
}

fn default_stripe() -> String {
    "https://api.stripe.com".into()
}

fn default_payapp() -> String {
    "https://api.payapp.kr/oapi/apiLoad.html".into()
}

fn default_poll() -> u32 {
    300
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAYAPP: &str = "userID: shop, shopName: Acme, linkKeyFile: /k, linkValueFile: /v";

    fn check(text: &str) -> Result<(), String> {
        let billing: Billing = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
        billing.check("127.0.0.1:8080").map_err(|error| error.to_string())
    }

    #[test]
    fn each_provider_needs_what_it_can_not_do_without() {
        check("{}").unwrap();
        let home = "returnURL: 'https://portal.example/{namespace}/{order}'";
        check(&format!("{{{home}, stripe: {{secretKeyFile: /k, webhookSecretFiles: [/a, /b]}}}}")).unwrap();
        check(&format!("{{{home}, publicURL: 'https://hooks.example', payapp: {{{PAYAPP}}}}}")).unwrap();
        for (text, named) in [
            ("{stripe: {secretKeyFile: /k}}".to_owned(), "billing.returnURL"),
            (format!("{{{home}, payapp: {{{PAYAPP}}}}}"), "billing.publicURL"),
            (format!("{{{home}, publicURL: 'hooks.example'}}"), "billing.publicURL"),
            (format!("{{{home}, publicURL: 'https://hooks.example/path'}}"), "billing.publicURL"),
            ("{returnURL: 'javascript:alert(1)'}".to_owned(), "billing.returnURL"),
            ("{webhookAddress: everywhere}".to_owned(), "billing.webhookAddress"),
            (
                format!("{{{home}, webhookAddress: '127.0.0.1:8080', stripe: {{secretKeyFile: /k}}}}"),
                "another address",
            ),
            (
                format!("{{{home}, stripe: {{secretKeyFile: /k, webhookSecretFiles: [/a, /b, /c]}}}}"),
                "at most two",
            ),
            (format!("{{{home}, stripe: {{secretKeyFile: /k, pollSeconds: 1}}}}"), "pollSeconds"),
            (format!("{{{home}, stripe: {{secretKeyFile: /k, apiURL: 'https://x/v1'}}}}"), "stripe.apiURL"),
        ] {
            let error = check(&text).unwrap_err();
            assert!(error.contains(named), "{text}: {error}");
        }
    }

    #[test]
    fn a_return_url_names_its_order() {
        let return_url = Some("https://portal.example/{namespace}/orders/{order}?done".to_owned());
        let billing = Billing { return_url, ..Billing::default() };
        let url = billing.return_url("acme", "first").unwrap();
        assert_eq!(url, "https://portal.example/acme/orders/first?done");
    }
}
