//! What is an effect at an authority, and whose.

use axum::body::Bytes;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::{HeaderMap, header};
use serde_json::Value;

use crate::books::Books;

/// Whose effect a request is: a new order names the hostname, all else an address that was told for it.
pub fn effect(books: &Books, path: &str, body: &Bytes) -> Option<(String, String)> {
    let signed: Value = serde_json::from_slice(body).ok()?;
    let payload = BASE64_URL_SAFE_NO_PAD.decode(signed["payload"].as_str()?).ok()?;
    // Without one it is a question.
    if payload.is_empty() {
        return None;
    }
    let mark = books.about(&format!("{path} {}", String::from_utf8_lossy(&payload)))?;
    let kind = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    Some((mark, format!("acme {kind}")))
}

/// Learns the addresses of an order, its authorizations and challenges.
pub fn learn(books: &Books, mark: &str, headers: &HeaderMap, body: &Bytes) {
    let place = headers.get(header::LOCATION).and_then(|place| place.to_str().ok());
    let mut urls: Vec<String> = place.map(str::to_owned).into_iter().collect();
    if let Ok(told) = serde_json::from_slice::<Value>(body) {
        addresses(&told, &mut urls);
    }
    for url in urls {
        if let Some((_, path)) = url.split_once("://").and_then(|(_, rest)| rest.split_once('/')) {
            books.word(&format!("/{path}"), mark);
        }
    }
}

fn addresses(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) if text.starts_with("https://") => found.push(text.clone()),
        Value::Array(all) => all.iter().for_each(|one| addresses(one, found)),
        Value::Object(all) => all.values().for_each(|one| addresses(one, found)),
        _ => {}
    }
}
