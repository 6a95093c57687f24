//! Which provider a model's name belongs to.

/// The longest model name that is passed on, in bytes.
pub const MAX_MODEL_BYTES: usize = 200;

/// The model reference (`provider/model`) for a value of `LLM_MODEL`.
///
/// A name that has a provider, or whose provider isn't known, is given as it
/// is. None for what can't be a model's name: empty, too long, or with blanks.
pub fn default_model(llm_model: &str) -> Option<String> {
    let model = llm_model.trim();
    let blank = |c: char| c.is_whitespace() || c.is_control();
    if model.is_empty() || model.len() > MAX_MODEL_BYTES || model.contains(blank) {
        return None;
    }
    Some(match provider_of(model) {
        Some(provider) => format!("{provider}/{model}"),
        None => model.to_owned(),
    })
}

/// What a user should know about their `LLM_MODEL`; None when it is plain.
pub fn model_note(llm_model: &str) -> Option<String> {
    let Some(model) = default_model(llm_model) else {
        return Some(format!(
            "LLM_MODEL is not a model's name and is not applied; give one of up to {MAX_MODEL_BYTES} bytes without blanks"
        ));
    };
    (!model.contains('/')).then(|| {
        "the provider of LLM_MODEL isn't known, so the gateway chooses one; write it as provider/model"
            .to_owned()
    })
}

fn provider_of(model: &str) -> Option<&'static str> {
    if model.contains('/') {
        return None;
    }
    let name = model.to_ascii_lowercase();
    let reasoning = name.strip_prefix('o').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    match name.as_str() {
        name if name.starts_with("claude-") => Some("anthropic"),
        name if name.starts_with("gpt-") || reasoning => Some("openai"),
        name if name.starts_with("gemini-") => Some("google"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_family_gets_its_provider() {
        for (given, expected) in [
            ("claude-sonnet-4-20250514", "anthropic/claude-sonnet-4-20250514"),
            ("gpt-5.5", "openai/gpt-5.5"),
            ("o3", "openai/o3"),
            ("o4-mini", "openai/o4-mini"),
            ("gemini-3-pro", "google/gemini-3-pro"),
            (" gpt-5.5\n", "openai/gpt-5.5"),
        ] {
            assert_eq!(default_model(given).as_deref(), Some(expected));
            assert_eq!(model_note(given), None);
        }
    }

    #[test]
    fn a_given_provider_stays() {
        for given in ["openrouter/anthropic/claude-sonnet-4", "anthropic/claude-opus-4"] {
            assert_eq!(default_model(given).as_deref(), Some(given));
            assert_eq!(model_note(given), None);
        }
    }

    #[test]
    fn an_unknown_family_is_left_to_the_gateway_and_said() {
        for given in ["mistral-large", "opus", "our-gpt-5"] {
            assert_eq!(default_model(given).as_deref(), Some(given));
            assert!(model_note(given).unwrap().contains("provider/model"));
        }
    }

    #[test]
    fn what_is_no_name_is_not_applied() {
        for given in ["", "  ", "gpt 5", "a\nb", &"x".repeat(201)] {
            assert_eq!(default_model(given), None);
            assert!(model_note(given).unwrap().contains("not applied"));
        }
    }
}
