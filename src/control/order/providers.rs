//! Who takes payments here: the clients, made from the configuration with the keys as they are now.

use std::sync::Arc;

use crate::api::payment_receipt::Provider;
use crate::api::reason;
use crate::billing::payapp::{self, Merchant, Pages, PayApp, PayAppOptions};
use crate::billing::stripe::{Mode, Stripe, StripeOptions};
use crate::billing::{KeyFile, Pace, PaymentProvider, http_client};
use crate::control::runtime::facts::Refusal;
use crate::engine::config::{Billing, PayAppMerchant, StripeAccount};

/// Makes clients of the payment providers that are configured.
pub struct Providers {
    http: reqwest::Client,
    stripe: Option<StripeKeys>,
    payapp: Option<PayAppKeys>,
}

struct StripeKeys {
    account: StripeAccount,
    key: KeyFile,
    pace: Arc<Pace>,
}

struct PayAppKeys {
    merchant: PayAppMerchant,
    link_key: KeyFile,
    link_value: KeyFile,
    notice_url: String,
}

impl Providers {
    /// Those that are configured.
    ///
    /// # Errors
    /// If TLS can't be set up.
    pub fn new(billing: &Billing) -> Result<Self, reqwest::Error> {
        let stripe = billing.stripe.clone().map(|account| {
            let key = KeyFile::new(&account.secret_key_file);
            StripeKeys { account, key, pace: StripeOptions::default().pace }
        });
        let payapp = billing.payapp.clone().map(|merchant| PayAppKeys {
            link_key: KeyFile::new(&merchant.link_key_file),
            link_value: KeyFile::new(&merchant.link_value_file),
            notice_url: billing.notice_url().unwrap_or_default(),
            merchant,
        });
        Ok(Self { http: http_client()?, stripe, payapp })
    }

    /// Who takes payments here, beside the platform itself.
    pub fn configured(&self) -> Vec<Provider> {
        let stripe = self.stripe.as_ref().map(|_| Provider::Stripe);
        let payapp = self.payapp.as_ref().map(|_| Provider::PayApp);
        stripe.into_iter().chain(payapp).collect()
    }

    /// The client of a provider, with its keys as they are now.
    ///
    /// # Errors
    /// If the provider isn't configured, or its keys can't be read or used.
    pub fn client(&self, provider: Provider) -> Result<Box<dyn PaymentProvider>, Refusal> {
        let none = || not_configured(provider, "the operator's configuration names no account there");
        match provider {
            Provider::Manual => {
                Err(not_configured(provider, "nobody is called for what is approved by hand"))
            }
            Provider::Stripe => Ok(Box::new(self.stripe(self.stripe.as_ref().ok_or_else(none)?)?)),
            Provider::PayApp => Ok(Box::new(self.payapp(self.payapp.as_ref().ok_or_else(none)?)?)),
        }
    }

    fn stripe(&self, keys: &StripeKeys) -> Result<Stripe, Refusal> {
        let unusable = |cause: String| not_configured(Provider::Stripe, &cause);
        let key = keys.key.read().map_err(|error| unusable(error.to_string()))?;
        let (url, pace) = (keys.account.api_url.clone(), Arc::clone(&keys.pace));
        let options = StripeOptions { url, pace, ..StripeOptions::default() };
        let client =
            Stripe::new(self.http.clone(), options, &key).map_err(|error| unusable(error.to_string()))?;
        match keys.account.livemode {
            Some(livemode) if Mode::from(livemode) != client.mode() => {
                Err(unusable("the key is of the other mode than `billing.stripe.livemode` says".to_owned()))
            }
            _ => Ok(client),
        }
    }

    fn payapp(&self, keys: &PayAppKeys) -> Result<PayApp, Refusal> {
        let unusable = |error: crate::billing::KeyError| not_configured(Provider::PayApp, &error.to_string());
        let merchant = Merchant {
            userid: keys.merchant.user_id.clone(),
            linkkey: keys.link_key.read().map_err(unusable)?,
            linkval: keys.link_value.read().map_err(unusable)?,
        };
        let url = keys.merchant.api_url.clone();
        let options = PayAppOptions {
            pages: pages(&url),
            url,
            ..PayAppOptions::new(&keys.notice_url, &keys.merchant.shop_name)
        };
        Ok(PayApp::new(self.http.clone(), options, merchant))
    }
}

/// Pages to pay at are PayApp's own; those of a stand-in, its.
fn pages(url: &str) -> Pages {
    let origin = || url.parse::<reqwest::Url>().map(|url| url.origin().ascii_serialization());
    match origin() {
        Ok(origin) if url != payapp::DEFAULT_URL => Pages::StandIn(format!("{origin}/")),
        _ => Pages::PayApp,
    }
}

fn not_configured(provider: Provider, cause: &str) -> Refusal {
    let name = provider.name();
    Refusal::new(
        reason::PROVIDER_NOT_CONFIGURED,
        format!(
            "{name} can't be asked: {cause}. The platform has to mend its configuration under `billing`; until then nothing that is paid changes."
        ),
    )
}
