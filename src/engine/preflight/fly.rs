//! Whether the Fly token is good, and of the configured organisation.

use fly_machines::types::TokensAnswer;
use fly_machines::{Client, ErrorClass, Limits, Rate, TokenSource};

use super::{Check, Fault};
use crate::engine::config::{FlyConfig, RateLimits};
use crate::engine::metrics::Metrics;

const USER_AGENT: &str = concat!("moorage/", env!("CARGO_PKG_VERSION"));

/// Asks Fly about the token. The client is a new one each time, since one keeps for a while a token that Fly accepts.
pub(super) async fn check(config: &FlyConfig, metrics: &Metrics) -> Result<Client, Fault> {
    let client = connect(config, metrics).map_err(|error| fault(config, &error))?;
    let tokens = client.tokens().current().await.map_err(|error| fault(config, &error))?;
    covers(config, &tokens)?;
    metrics.watch_budget(client.clone());
    Ok(client)
}

/// A client of Fly, as configured.
///
/// # Errors
/// If the configuration can't make one.
pub fn connect(config: &FlyConfig, metrics: &Metrics) -> Result<Client, fly_machines::Error> {
    Client::builder(TokenSource::file(&config.token_file))
        .base_url(&config.api_url)
        .user_agent(USER_AGENT)
        .limits(limits(config))
        .observer(metrics.clone())
        .build()
}

fn limits(config: &FlyConfig) -> Limits {
    let rate = config.requests_per_second;
    match config.rate_limits {
        RateLimits::Off => Limits::off(),
        RateLimits::Fly => {
            Limits { organisation: Rate::per_second(rate, rate.saturating_mul(2)), ..Limits::fly() }
        }
    }
}

fn fault(config: &FlyConfig, error: &fly_machines::Error) -> Fault {
    let file = config.token_file.display();
    let remedy = match error.class() {
        ErrorClass::Unauthorized => {
            format!("put a valid token of the organisation, as made by `fly tokens create org`, into {file}")
        }
        ErrorClass::Unreachable | ErrorClass::BadAnswer | ErrorClass::NotFound => {
            format!("check the network and `fly.apiURL`, which is {}", config.api_url)
        }
        _ => error.remedy().to_owned(),
    };
    Fault::new(Check::FlyToken, error.message(), remedy)
}

fn covers(config: &FlyConfig, tokens: &TokensAnswer) -> Result<(), Fault> {
    let wanted = &config.organization;
    if tokens.covers_org(wanted) {
        return Ok(());
    }
    let cause = if tokens.tokens.iter().any(|token| token.org_slug == *wanted) {
        format!("the token is for some apps or one Machine of organisation `{wanted}`, not for all of it")
    } else {
        let found: Vec<&str> = tokens.tokens.iter().map(|token| token.org_slug.as_str()).take(3).collect();
        format!("the token is for organisation `{}`, not for `{wanted}`", found.join("`, `"))
    };
    let remedy = format!(
        "put a token made by `fly tokens create org --org {wanted}` into {}, or correct `fly.organization`",
        config.token_file.display()
    );
    Err(Fault::new(Check::FlyToken, cause, remedy))
}
