//! Durations as the API reads them (Go's text, or nanoseconds) and writes them (Go's text).

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value;

/// Reads `"1m30s"`, or an integer of nanoseconds.
pub fn read(value: &Value) -> Option<Duration> {
    match value {
        Value::Number(nanos) => nanos.as_u64().map(Duration::from_nanos),
        Value::String(text) => parse(text),
        _ => None,
    }
}

/// Reads Go's text for a duration.
pub fn parse(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    if rest.is_empty() || rest == "0" {
        return Some(Duration::ZERO);
    }
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(digits);
        let end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, next) = tail.split_at(end);
        seconds += number.parse::<f64>().ok()? * unit_seconds(unit)?;
        rest = next;
    }
    Duration::try_from_secs_f64(seconds).ok()
}

/// Writes a duration as Go does.
pub fn write(duration: Duration) -> String {
    let total = duration.as_secs();
    if total == 0 && duration.subsec_nanos() > 0 {
        return format!("{}ms", duration.as_secs_f64() * 1e3);
    }
    let mut text = String::new();
    if total >= 3_600 {
        let _ = write!(text, "{}h", total / 3_600);
    }
    if total >= 60 {
        let _ = write!(text, "{}m", total / 60 % 60);
    }
    let fraction = format!("{:09}", duration.subsec_nanos());
    let fraction = fraction.trim_end_matches('0');
    let dot = if fraction.is_empty() { "" } else { "." };
    let _ = write!(text, "{}{dot}{fraction}s", total % 60);
    text
}

fn unit_seconds(unit: &str) -> Option<f64> {
    Some(match unit {
        "h" => 3_600.0,
        "m" => 60.0,
        "s" => 1.0,
        "ms" => 1e-3,
        "us" | "µs" => 1e-6,
        "ns" => 1e-9,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_as_go_writes_them() {
        let text = |s: &str| write(parse(s).unwrap());
        assert_eq!(text("15s"), "15s");
        assert_eq!(text("90s"), "1m30s");
        assert_eq!(text("1h"), "1h0m0s");
        assert_eq!(text("0.5s"), "500ms");
        assert_eq!(text("1500ms"), "1.5s");
        assert_eq!(read(&Value::from(15_000_000_000_u64)).map(write).as_deref(), Some("15s"));
        assert_eq!(parse("15"), None);
    }
}
