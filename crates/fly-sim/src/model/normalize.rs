//! Checking a client's configuration and writing it as the API answers it: sizes filled in, durations as text,
//! autostop as a boolean.

use serde_json::{Map, Value, json};

use super::duration;
use crate::error::{ApiError, ApiResult};

type Object = Map<String, Value>;

/// Checks a configuration and gives it the API's own spelling.
pub fn normalize(value: Value) -> ApiResult<Value> {
    let Value::Object(mut config) = value else {
        return Err(ApiError::invalid("missing required field: config"));
    };
    image(&config)?;
    guest(&mut config)?;
    mounts(&config)?;
    files(&config)?;
    restart(&config)?;
    services(&mut config)?;
    checks(&mut config)?;
    if let Some(stop) = config.get_mut("stop_config") {
        durations(stop, &["timeout"])?;
    }
    metadata(&config)?;
    fill(&mut config, "init", &json!({}));
    config.remove("size");
    Ok(Value::Object(config))
}

/// The answer to a field of the wrong type.
pub fn unreadable(error: &serde_json::Error) -> ApiError {
    ApiError::new(http::StatusCode::BAD_REQUEST, format!("json: cannot unmarshal config: {error}"))
}

fn image(config: &Object) -> ApiResult<()> {
    match config.get("image") {
        Some(Value::String(image)) if !image.trim().is_empty() => Ok(()),
        _ => Err(ApiError::invalid("config.image is required")),
    }
}

fn fill(object: &mut Object, key: &str, default: &Value) {
    let slot = object.entry(key).or_insert(Value::Null);
    if slot.is_null() {
        slot.clone_from(default);
    }
}

fn guest(config: &mut Object) -> ApiResult<()> {
    let size = config.get("size").and_then(Value::as_str).filter(|size| !size.is_empty()).map(str::to_owned);
    if let Some(size) = size {
        if config.get("guest").is_some_and(Value::is_object) {
            return Err(ApiError::invalid("config.size and config.guest are mutually exclusive"));
        }
        config.insert("guest".into(), preset(&size)?);
    }
    fill(config, "guest", &json!({}));
    let Some(Value::Object(guest)) = config.get_mut("guest") else {
        return Err(ApiError::invalid("config.guest must be an object"));
    };
    fill(guest, "cpu_kind", &json!("shared"));
    fill(guest, "cpus", &json!(1));
    let least = if guest["cpu_kind"] == "performance" { 2_048 } else { 256 };
    let memory = guest["cpus"].as_u64().unwrap_or(1).saturating_mul(least);
    fill(guest, "memory_mb", &json!(memory));
    check_size(guest)
}

/// The size that a name such as `shared-cpu-2x` or `performance-4x` stands for.
fn preset(size: &str) -> ApiResult<Value> {
    let unknown = || ApiError::invalid(format!("unknown machine size '{size}'"));
    let (kind, count) = size.rsplit_once('-').ok_or_else(unknown)?;
    let cpus = count.strip_suffix('x').and_then(|n| n.parse::<u64>().ok()).ok_or_else(unknown)?;
    match kind {
        "shared-cpu" => {
            Ok(json!({ "cpu_kind": "shared", "cpus": cpus, "memory_mb": cpus.saturating_mul(256) }))
        }
        "performance" => {
            Ok(json!({ "cpu_kind": "performance", "cpus": cpus, "memory_mb": cpus.saturating_mul(2_048) }))
        }
        _ => Err(unknown()),
    }
}

fn check_size(guest: &Object) -> ApiResult<()> {
    let number = |key: &str| guest[key].as_u64().unwrap_or(0);
    let (cpus, memory) = (number("cpus"), number("memory_mb"));
    let (counts, least, most, step): (&[u64], u64, u64, u64) = match guest["cpu_kind"].as_str() {
        Some("shared") => (&[1, 2, 4, 6, 8], 256, 2_048, 256),
        Some("performance") => (&[1, 2, 4, 6, 8, 10, 12, 14, 16, 32, 64, 128], 2_048, 8_192, 1_024),
        _ => return Err(ApiError::invalid("invalid cpu kind, must be shared or performance")),
    };
    if !counts.contains(&cpus) {
        return Err(ApiError::invalid(format!("invalid number of CPUs: {cpus}, must be one of {counts:?}")));
    }
    if memory < least * cpus || memory > most * cpus || memory % step != 0 {
        let range = format!("between {} and {} MiB in steps of {step}", least * cpus, most * cpus);
        return Err(ApiError::invalid(format!("invalid memory size: {memory} MiB, must be {range}")));
    }
    Ok(())
}

fn mounts(config: &Object) -> ApiResult<()> {
    let mounts = list(config, "mounts");
    if mounts.len() > 1 {
        return Err(ApiError::invalid("only one mount is supported per machine"));
    }
    for mount in mounts {
        if !mount["path"].as_str().is_some_and(|path| path.starts_with('/') && path.len() > 1) {
            return Err(ApiError::invalid("config.mounts[0].path must be an absolute path"));
        }
    }
    Ok(())
}

fn files(config: &Object) -> ApiResult<()> {
    for file in list(config, "files") {
        if !file["guest_path"].as_str().is_some_and(|path| path.starts_with('/')) {
            return Err(ApiError::invalid("config.files guest_path must be an absolute path"));
        }
        let sources =
            ["raw_value", "secret_name", "image_config"].iter().filter(|key| !file[**key].is_null());
        if sources.count() != 1 {
            return Err(ApiError::invalid(
                "config.files needs exactly one of raw_value, secret_name, image_config",
            ));
        }
        if let Some(text) = file["raw_value"].as_str() {
            base64(text)?;
        }
    }
    Ok(())
}

fn base64(text: &str) -> ApiResult<()> {
    use base64::Engine as _;
    let decoded = base64::engine::general_purpose::STANDARD.decode(text);
    decoded.map(|_| ()).map_err(|_| ApiError::invalid("config.files raw_value must be base64"))
}

fn restart(config: &Object) -> ApiResult<()> {
    match config.get("restart").and_then(|restart| restart["policy"].as_str()) {
        None | Some("" | "no" | "always" | "on-failure" | "spot-price") => Ok(()),
        Some(other) => Err(ApiError::invalid(format!("invalid restart policy '{other}'"))),
    }
}

fn services(config: &mut Object) -> ApiResult<()> {
    let Some(Value::Array(services)) = config.get_mut("services") else { return Ok(()) };
    for service in services.iter_mut().filter_map(Value::as_object_mut) {
        service_port(service)?;
        autostop(service)?;
        wrong_type(service, "autostart", Value::is_boolean, "bool")?;
        service.entry("force_instance_key").or_insert(Value::Null);
        if let Some(Value::Array(checks)) = service.get_mut("checks") {
            for check in checks {
                durations(check, &["interval", "timeout", "grace_period"])?;
            }
        }
    }
    Ok(())
}

fn service_port(service: &Object) -> ApiResult<()> {
    match service.get("internal_port").and_then(Value::as_u64) {
        Some(1..=65_535) => Ok(()),
        _ => Err(ApiError::invalid("service internal_port must be between 1 and 65535")),
    }
}

fn autostop(service: &mut Object) -> ApiResult<()> {
    let Some(value) = service.get_mut("autostop") else { return Ok(()) };
    let normal = match &*value {
        Value::Null | Value::Bool(_) => return Ok(()),
        Value::String(text) if text == "off" => json!(false),
        Value::String(text) if text == "stop" => json!(true),
        Value::String(text) if text == "suspend" => json!("suspend"),
        other => return Err(ApiError::invalid(format!("invalid autostop value {other}"))),
    };
    *value = normal;
    Ok(())
}

fn wrong_type(object: &Object, key: &str, is: fn(&Value) -> bool, wanted: &str) -> ApiResult<()> {
    let Some(value) = object.get(key).filter(|value| !value.is_null() && !is(value)) else { return Ok(()) };
    let kind = if value.is_string() { "string" } else { "value" };
    let text = format!(
        "json: cannot unmarshal {kind} into Go struct field MachineService.config.services.{key} of type {wanted}"
    );
    Err(ApiError::new(http::StatusCode::BAD_REQUEST, text))
}

fn checks(config: &mut Object) -> ApiResult<()> {
    let Some(Value::Object(checks)) = config.get_mut("checks") else { return Ok(()) };
    for check in checks.values_mut() {
        durations(check, &["interval", "timeout", "grace_period"])?;
    }
    Ok(())
}

fn durations(holder: &mut Value, keys: &[&str]) -> ApiResult<()> {
    let Value::Object(holder) = holder else { return Ok(()) };
    for key in keys {
        let Some(value) = holder.get_mut(*key).filter(|value| !value.is_null()) else { continue };
        let read =
            duration::read(value).ok_or_else(|| ApiError::invalid(format!("invalid duration {value}")))?;
        *value = duration::write(read).into();
    }
    Ok(())
}

fn metadata(config: &Object) -> ApiResult<()> {
    for key in ["metadata", "env"] {
        let Some(Value::Object(map)) = config.get(key) else { continue };
        if !map.values().all(Value::is_string) {
            return Err(ApiError::new(
                http::StatusCode::BAD_REQUEST,
                format!("json: cannot unmarshal config.{key} into Go type map[string]string"),
            ));
        }
    }
    Ok(())
}

fn list<'a>(config: &'a Object, key: &str) -> &'a [Value] {
    config.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
