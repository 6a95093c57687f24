//! The keys of `openclaw.json` that Moorage owns, and no others.
//!
//! The gateway's schema is strict and changes between versions, so this stays
//! small: a key that isn't here is the customer's. The gateway's token is
//! never in the file: the environment sets it, and a token in the file would
//! win over that one.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::provider::default_model;
use super::settings::GatewaySettings;

/// The id of the one agent that Moorage configures.
pub const AGENT_ID: &str = "main";

/// The first version that keeps agents in `agents.entries`.
pub const ENTRIES_SINCE: [u32; 3] = [2026, 8, 1];

/// Keys that must not be in the file, as paths: the environment's token would lose to this one.
pub const ABSENT: &[&[&str]] = &[&["gateway", "auth", "token"]];

/// The two ways in which `OpenClaw` versions spell the same configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Before 2026.8.1: `agents.list[]` with a default marker, and `allowInsecureAuth`.
    AgentList,
    /// From [`ENTRIES_SINCE`] on: `agents.entries{}`; both others are retired.
    AgentEntries,
}

/// The owned keys in one dialect. The same settings give the same bytes,
/// in whichever order they list origins and proxies.
pub fn owned_config(settings: &GatewaySettings, dialect: Dialect) -> Value {
    json!({
        "agents": agents(settings, dialect),
        "gateway": {
            "auth": {"mode": "token"},
            "controlUi": control_ui(settings, dialect),
            "mode": "local",
            "trustedProxies": sorted(settings.trusted_proxies.iter().map(ToString::to_string)),
        },
    })
}

fn control_ui(settings: &GatewaySettings, dialect: Dialect) -> Value {
    let origins = sorted(settings.allowed_origins.iter().map(ToString::to_string));
    match dialect {
        Dialect::AgentList => json!({"allowInsecureAuth": false, "allowedOrigins": origins}),
        Dialect::AgentEntries => json!({"allowedOrigins": origins}),
    }
}

fn agents(settings: &GatewaySettings, dialect: Dialect) -> Value {
    let defaults = defaults(settings);
    let identity = settings.persona.as_ref().map(|persona| ("identity", json!({"name": persona.name()})));
    match dialect {
        Dialect::AgentList => {
            let marks = [("default", json!(true)), ("id", json!(AGENT_ID))];
            let main = object(marks.into_iter().chain(identity));
            json!({"defaults": defaults, "list": [main]})
        }
        // Without a default marker a second agent would move this one's
        // folder from the default to one named for the agent: hence both.
        Dialect::AgentEntries => {
            let workspace = ("workspace", json!(settings.workspace));
            let main = object(identity.into_iter().chain([workspace]));
            json!({"defaults": defaults, "entries": {AGENT_ID: main}})
        }
    }
}

fn defaults(settings: &GatewaySettings) -> Value {
    let model = settings
        .model
        .as_deref()
        .and_then(default_model)
        .map(|primary| ("model", json!({"primary": primary})));
    let workspace = ("workspace", json!(settings.workspace));
    object(model.into_iter().chain([workspace]))
}

fn object<'a>(pairs: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    let owned = pairs.into_iter().map(|(key, value)| (key.to_owned(), value));
    Value::Object(owned.collect::<Map<_, _>>())
}

fn sorted(items: impl Iterator<Item = String>) -> BTreeSet<String> {
    items.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::identity::Persona;
    use crate::gateway::settings::{Origin, ProxyRange};

    fn settings() -> GatewaySettings {
        let origins = ["https://b.example", "https://a.example", "https://b.example"];
        let proxies = ["172.16.0.0/12", "2a09:8280:1::1", "66.241.1.1"];
        GatewaySettings {
            allowed_origins: origins.map(|text| Origin::parse(text).unwrap()).to_vec(),
            trusted_proxies: proxies.map(|text| ProxyRange::parse(text).unwrap()).to_vec(),
            persona: Persona::named("Ada"),
            model: Some("claude-sonnet-4-20250514".to_owned()),
            workspace: "/data/workspace".to_owned(),
        }
    }

    #[test]
    fn the_list_dialect_is_exactly_this() {
        let expected = r#"{"agents":{"defaults":{"model":{"primary":"anthropic/claude-sonnet-4-20250514"},"workspace":"/data/workspace"},"list":[{"default":true,"id":"main","identity":{"name":"Ada"}}]},"gateway":{"auth":{"mode":"token"},"controlUi":{"allowInsecureAuth":false,"allowedOrigins":["https://a.example","https://b.example"]},"mode":"local","trustedProxies":["172.16.0.0/12","2a09:8280:1::1","66.241.1.1"]}}"#;
        assert_eq!(owned_config(&settings(), Dialect::AgentList).to_string(), expected);
    }

    #[test]
    fn the_entries_dialect_is_exactly_this() {
        let expected = r#"{"agents":{"defaults":{"model":{"primary":"anthropic/claude-sonnet-4-20250514"},"workspace":"/data/workspace"},"entries":{"main":{"identity":{"name":"Ada"},"workspace":"/data/workspace"}}},"gateway":{"auth":{"mode":"token"},"controlUi":{"allowedOrigins":["https://a.example","https://b.example"]},"mode":"local","trustedProxies":["172.16.0.0/12","2a09:8280:1::1","66.241.1.1"]}}"#;
        assert_eq!(owned_config(&settings(), Dialect::AgentEntries).to_string(), expected);
    }

    #[test]
    fn what_is_not_declared_is_not_owned() {
        let bare = GatewaySettings { persona: None, model: None, ..settings() };
        for dialect in [Dialect::AgentList, Dialect::AgentEntries] {
            let text = owned_config(&bare, dialect).to_string();
            assert!(!text.contains("identity") && !text.contains("model"), "{text}");
        }
    }

    #[test]
    fn no_token_is_in_the_file() {
        for dialect in [Dialect::AgentList, Dialect::AgentEntries] {
            let auth = &owned_config(&settings(), dialect)["gateway"]["auth"];
            assert_eq!(auth, &json!({"mode": "token"}));
        }
    }
}
