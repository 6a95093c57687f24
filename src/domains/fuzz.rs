//! What fuzzers call: each takes bytes as they may come from outside, and must end without a panic.

use jiff::Timestamp;

use super::acme;
use super::certificate::Certificate;

/// What stands between a chain and its key.
const KEY: char = '\0';

/// Bytes as the answers of a certificate authority, in the order in which they are asked for. Each is a status, lines
/// of headers, an empty line and a body; between two stands a line of four equals signs.
pub fn acme_answers(data: &[u8]) {
    let _ = acme::fuzz::answers(data, None);
}

/// Bytes as a chain of certificates, a zero byte, and a key. What can be read is asked all that can be asked.
pub fn certificate(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (chain, key) = text.split_once(KEY).unwrap_or((&text, ""));
    let Ok(certificate) = Certificate::read(chain, key.into()) else { return };
    for now in [Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::MAX] {
        let _ = certificate.check(now, &["a.example.dev".to_owned()]);
        let _ = certificate.check_chain(now);
        let _ = certificate.is_overdue(now);
    }
    let _ = certificate.names().iter().all(|name| certificate.covers(name));
    let _ = (certificate.key_type.check(), certificate.renewal(), certificate.leaf());
    let _ = acme::fuzz::answers(b"200\n\n{}", Some(&certificate));
}

#[cfg(test)]
#[path = "fuzz_tests.rs"]
mod tests;
