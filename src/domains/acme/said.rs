//! What an authority says, made fit for a status.

use std::net::IpAddr;

use crate::domains::error::quoted;

/// From here on a sentence only says when, or where to read more.
const TAILS: [&str; 4] = [", retry after", ": see http", ". see http", "please visit"];
/// Shortest word that may be an id.
const SHORTEST_ID: usize = 16;
/// Shortest row of digits that may be an id.
const SHORTEST_NUMBER: usize = 6;

/// Its words on one line and bounded, without addresses of pages, ids and times: the same cause has the same text.
pub(super) fn said(detail: Option<&str>) -> String {
    let line = quoted(kept(detail.unwrap_or_default()));
    if line.is_empty() { "it doesn't say why".to_owned() } else { line }
}

fn kept(detail: &str) -> String {
    let lower = detail.to_ascii_lowercase();
    let end = TAILS.iter().filter_map(|tail| lower.find(tail)).min().unwrap_or(detail.len());
    let words = detail.get(..end).unwrap_or_default().split_whitespace();
    let mut kept: Vec<&str> = Vec::new();
    for word in words {
        if is_fleeting(word) {
            if kept.last() != Some(&"…") {
                kept.push("…");
            }
        } else {
            kept.push(word);
        }
    }
    kept.join(" ")
}

/// Whether a word differs each time.
fn is_fleeting(word: &str) -> bool {
    let core = word.trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-');
    if core.parse::<IpAddr>().is_ok() {
        return false;
    }
    word.contains("://") || is_time(core) || core.split('.').all(is_id)
}

fn is_id(part: &str) -> bool {
    let plain = part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    let digits = part.bytes().filter(u8::is_ascii_digit).count();
    plain
        && ((part.len() >= SHORTEST_ID && digits > 0) || (digits == part.len() && digits >= SHORTEST_NUMBER))
}

fn is_time(core: &str) -> bool {
    let numeric = core.bytes().all(|byte| byte.is_ascii_digit() || b"-:.TZ+".contains(&byte));
    numeric
        && core.bytes().any(|byte| byte == b'-' || byte == b':')
        && core.bytes().any(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::said;

    #[test]
    fn the_same_cause_has_the_same_text() {
        for (detail, text) in [
            (
                "Error creating new order :: too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s, retry after 2026-08-06 12:00:00 UTC: see https://letsencrypt.org/docs/rate-limits/#new-certificates",
                "Error creating new order :: too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s",
            ),
            (
                "192.0.2.7: Invalid response from http://a.example.dev/.well-known/acme-challenge/JHb54aT_KTXBWQOzGYkt9A: 404",
                "192.0.2.7: Invalid response from … 404",
            ),
            (
                "Incorrect TXT record \"AQZ3y5q-5tU5ZKqXWbJPQ0n-zzRJB1P1aWXvYcVf7Fs\" found at _acme-challenge.a.example.dev",
                "Incorrect TXT record … found at _acme-challenge.a.example.dev",
            ),
            (
                "The key authorization \"evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI\" is wrong",
                "The key authorization … is wrong",
            ),
            ("No order for account ID 1234567", "No order for account ID …"),
            ("Order expired 2026-08-06T12:00:00Z", "Order expired …"),
            (
                "DNS problem: NXDOMAIN looking up TXT for _acme-challenge.shop12345678901.example.dev - check that a DNS record exists for this domain",
                "DNS problem: NXDOMAIN looking up TXT for _acme-challenge.shop12345678901.example.dev - check that a DNS record exists for this domain",
            ),
            ("2001:db8::1: Connection refused", "2001:db8::1: Connection refused"),
            (
                "Your account is temporarily prevented from requesting certificates for a.example.dev. Please visit: https://ca.example/unpause?jwt=eyJhbGciOi",
                "Your account is temporarily prevented from requesting certificates for a.example.dev",
            ),
            ("", "it doesn't say why"),
            ("https://ca.example/1", "…"),
        ] {
            assert_eq!(said(Some(detail)), text);
        }
        assert_eq!(said(None), "it doesn't say why");
        assert!(said(Some(&"long words ".repeat(1000))).chars().count() <= 200);
        assert_eq!(said(Some("İ, retry after ß")), "İ");
    }
}
