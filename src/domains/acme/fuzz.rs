//! An authority that answers anything: everything that is asked of one must end, and without a panic.

use std::collections::VecDeque;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::account;
use super::canned::{Answer, Canned};
use super::http::Http;
use super::judge::Subject;
use super::{Account, AcmeError, Credentials, Method, Order, window};
use crate::domains::certificate::Certificate;

/// Between two answers.
const NEXT: &[u8] = b"\n====\n";
const DIRECTORY: &str = "https://ca.example/dir";
const CONTENT: &str = r#"{"newNonce": "https://ca.example/nonce", "newAccount": "https://ca.example/account",
    "newOrder": "https://ca.example/order", "keyChange": "https://ca.example/key",
    "renewalInfo": "https://ca.example/ari"}"#;

/// Takes bytes for the answers of an authority, in the order in which they are asked for, and does with them all that
/// can be done with one. Each answer is a status, lines of headers, an empty line and a body; between two stands a
/// line of four equals signs. Gives the chain that came of it, if one did.
pub fn answers(data: &[u8], certificate: Option<&Certificate>) -> Option<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().ok()?;
    runtime.block_on(async {
        let bare = asked(data, None);
        // What it comes to doesn't matter here; that it ends does.
        let _ = bare.call(Subject::Account, bare.directory()).await;
        all(&asked(data, Some(CONTENT)), certificate).await.ok().flatten()
    })
}

/// An authority that gives these answers, after this directory.
fn asked(data: &[u8], directory: Option<&'static str>) -> Http {
    let mut left: VecDeque<Answer> = split(data).into_iter().map(answer).collect();
    let mut directory = directory.map(|content| answer(format!("200\n\n{content}").as_bytes()));
    Http::through(DIRECTORY, Box::new(Canned::new(move |_, _| directory.take().or_else(|| left.pop_front()))))
}

async fn all(http: &Http, certificate: Option<&Certificate>) -> Result<Option<String>, AcmeError> {
    http.call(Subject::Account, http.directory()).await?;
    if let Some(certificate) = certificate
        && let Ok(Some(suggestion)) = window::suggestion(http, certificate).await
    {
        suggestion.window.moment(None, &mut StdRng::seed_from_u64(0));
    }
    let credentials = match account::register(http, Some("ops@example.dev"), None).await {
        Ok(credentials) => credentials,
        Err(_) => stand_in()?,
    };
    let account = Account::new(http, credentials.clone(), Some("default"));
    let names = ["example.dev".to_owned(), "*.example.dev".to_owned()];
    let order = match account.order(&names, certificate).await {
        Ok(order) => Ok(order),
        Err(_) => account.resume("https://ca.example/order/1").await,
    };
    let chain = match order {
        Ok(order) => to_the_end(order).await.ok(),
        Err(_) => None,
    };
    let next = credentials.with_new_key()?;
    let _ = account::change_key(http, &credentials, &next).await;
    Ok(chain)
}

async fn to_the_end(mut order: Order) -> Result<String, AcmeError> {
    for method in [Method::Dns, Method::Http] {
        let _ = order.challenges(method).await;
        let _ = order.answer(method).await;
    }
    let _ = order.poll().await;
    let _ = order.finalize(&[0; 8]).await;
    let _ = order.poll().await;
    let _ = (order.is_renewal(), order.requests(), order.pause());
    order.download().await
}

fn stand_in() -> Result<Credentials, AcmeError> {
    Credentials::at("https://ca.example/account/1", DIRECTORY)
}

fn split(data: &[u8]) -> Vec<&[u8]> {
    let (mut parts, mut rest) = (Vec::new(), data);
    while let Some(at) = rest.windows(NEXT.len()).position(|part| part == NEXT) {
        parts.push(&rest[..at]);
        rest = &rest[at + NEXT.len()..];
    }
    parts.push(rest);
    parts
}

fn answer(data: &[u8]) -> Answer {
    let end = data.windows(2).position(|part| part == b"\n\n");
    let (head, body) = end.map_or((data, &[][..]), |at| (&data[..at], &data[at + 2..]));
    let mut lines = head.split(|byte| *byte == b'\n');
    let status = lines.next().and_then(|line| StatusCode::from_bytes(line).ok()).unwrap_or(StatusCode::OK);
    let mut headers = HeaderMap::new();
    for line in lines {
        let Some(at) = line.iter().position(|byte| *byte == b':') else { continue };
        let name = HeaderName::from_bytes(line[..at].trim_ascii());
        let value = HeaderValue::from_bytes(line[at + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value)
            && headers.len() < 100
        {
            headers.append(name, value);
        }
    }
    Answer { status, headers, body: Bytes::copy_from_slice(body) }
}
