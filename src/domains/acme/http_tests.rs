use std::collections::VecDeque;
use std::sync::atomic::AtomicUsize;

use http::{HeaderMap, Uri};
use instant_acme::HttpClient;

use super::super::canned::{Answer, Canned};
use super::super::{Account, Cause, Credentials, Method as Proved, Stage};
use super::*;

const URL: &str = "https://ca.example/dir";

fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> Answer {
    let mut all = HeaderMap::new();
    for (name, value) in headers {
        all.insert(*name, value.parse().unwrap());
    }
    let status = StatusCode::from_u16(status).unwrap();
    Answer { status, headers: all, body: Bytes::copy_from_slice(body.as_bytes()) }
}

fn directory() -> Answer {
    answer(
        200,
        &[],
        r#"{"newNonce": "https://ca.example/nonce", "newAccount": "https://ca.example/account",
            "newOrder": "https://ca.example/order"}"#,
    )
}

fn problem(status: u16, kind: &str, retry_after: &str) -> Answer {
    let body =
        format!(r#"{{"type": "urn:ietf:params:acme:error:{kind}", "detail": "no", "status": {status}}}"#);
    answer(status, &[("retry-after", retry_after), ("replay-nonce", "n")], &body)
}

fn order(status: &str, authorizations: usize) -> Answer {
    let all: Vec<String> =
        (0..authorizations).map(|n| format!(r#""https://ca.example/authz/{n}""#)).collect();
    let body = format!(
        r#"{{"status": "{status}", "authorizations": [{}], "finalize": "https://ca.example/finalize"}}"#,
        all.join(",")
    );
    answer(201, &[("location", "https://ca.example/order/1"), ("replay-nonce", "n")], &body)
}

/// An authorization that is pending, with a challenge that is as told.
fn authorization(challenge: &str) -> Answer {
    let body = format!(
        r#"{{"identifier": {{"type": "dns", "value": "a.example.dev"}}, "status": "pending", "challenges":
            [{{"type": "dns-01", "url": "https://ca.example/chall", "status": "{challenge}", "token": "t"}}]}}"#
    );
    answer(200, &[("replay-nonce", "n")], &body)
}

/// An authority that answers so, but always knows its directory and has nonces.
fn authority<A: Into<Option<Answer>>>(mut answers: impl FnMut(&Uri) -> A + Send + 'static) -> Http {
    let answers = move |method: &Method, url: &Uri| match (method, url.path()) {
        (_, "/dir") => Some(directory()),
        (&Method::HEAD, _) => Some(answer(200, &[("replay-nonce", "first")], "")),
        _ => answers(url).into(),
    };
    Http::through(URL, Box::new(Canned::new(answers)))
}

fn account(http: &Http) -> Account {
    Account::new(http, Credentials::at("https://ca.example/account/1", URL).unwrap(), None)
}

fn names() -> [String; 1] {
    ["a.example.dev".to_owned()]
}

#[tokio::test]
async fn the_directory_is_fetched_once_and_nonces_are_used_again() {
    let http = authority(|_| order("pending", 1));
    let account = account(&http);
    let first = account.order(&names(), None).await.unwrap();
    assert_eq!(first.requests(), 3, "the directory, a nonce, the order");
    let second = account.order(&names(), None).await.unwrap();
    assert_eq!(second.requests(), 1);
    assert_eq!(http.all_requests(), 4);
}

#[tokio::test(start_paused = true)]
async fn an_old_directory_is_fetched_anew_and_kept_if_that_fails() {
    let mut left = 2;
    let answers = move |_: &Method, _: &Uri| {
        left -= 1;
        Some(if left >= 0 { directory() } else { problem(503, "serverInternal", "1") })
    };
    let http = Http::through(URL, Box::new(Canned::new(answers)));
    for (hours, requests) in [(0, 1), (0, 1), (1, 2), (1, 3), (0, 4)] {
        tokio::time::advance(Duration::from_hours(hours)).await;
        http.directory().await.unwrap();
        assert_eq!(http.all_requests(), requests);
    }
}

#[tokio::test]
async fn each_call_is_told_its_own_pause() {
    let count = AtomicUsize::new(0);
    let http = authority(move |_| match count.fetch_add(1, Ordering::Relaxed) {
        0 => problem(429, "rateLimited", "100"),
        1 => problem(503, "serverInternal", "5"),
        _ => problem(400, "rejectedIdentifier", "soon"),
    });
    let account = account(&http);
    let names = names();
    let all =
        futures::join!(account.order(&names, None), account.order(&names, None), account.order(&names, None));
    let told = |done: Result<_, AcmeError>| done.map(drop).map_err(|e| (e.cause, e.error.retry_after));
    assert_eq!(told(all.0), Err((Cause::RateLimited, Some(Duration::from_secs(100)))));
    assert_eq!(told(all.1), Err((Cause::Unavailable, Some(Duration::from_secs(5)))));
    assert_eq!(told(all.2), Err((Cause::IdentifierRejected, None)));
}

#[tokio::test]
async fn nonces_that_are_never_taken_are_given_up() {
    let http = authority(|_| problem(400, "badNonce", "0"));
    let error = account(&http).order(&names(), None).await.map(drop).unwrap_err();
    assert_eq!(error.cause, Cause::Unavailable);
    assert_eq!(http.all_requests(), 2 + 3 * ATTEMPTS as u64, "bounded");
}

#[tokio::test]
async fn an_order_that_is_told_twice_that_its_proof_is_there_goes_on() {
    // The reply to the first was lost; the authority has heard it, and won't hear it again.
    let mut answers = VecDeque::from([
        Some(order("pending", 1)),
        Some(authorization("pending")),
        None,
        Some(problem(400, "malformed", "0")),
        Some(authorization("processing")),
        Some(order("ready", 1)),
    ]);
    let http = authority(move |_| answers.pop_front().flatten());
    let mut order = account(&http).order(&names(), None).await.unwrap();
    assert_eq!(order.challenges(Proved::Dns).await.unwrap().len(), 1);
    assert_eq!(order.answer(Proved::Dns).await.unwrap_err().cause, Cause::Unavailable);
    order.answer(Proved::Dns).await.unwrap();
    assert!(order.challenges(Proved::Dns).await.unwrap().is_empty(), "nothing is left to be proved");
    assert_eq!(order.poll().await.unwrap(), &Stage::Ready);
    assert_eq!(order.requests(), 9, "with the directory, and a nonce instead of the one that was lost");
}

#[tokio::test]
async fn only_an_order_that_may_have_been_placed_is_told_as_unanswered() {
    let plain = |status| answer(status, &[("replay-nonce", "n")], "<html>");
    let told = |status| {
        let headers = [("replay-nonce", "n"), ("content-type", "application/problem+json")];
        let body = r#"{"type": "urn:ietf:params:acme:error:serverInternal", "detail": "no"}"#;
        Some(answer(status, &headers, body))
    };
    for (sent, cause) in [
        (None, Cause::Unanswered),
        (Some(plain(502)), Cause::Unanswered),
        (Some(plain(504)), Cause::Unanswered),
        (Some(plain(201)), Cause::Unanswered),
        (Some(plain(503)), Cause::Unavailable),
        (told(500), Cause::Unavailable),
        (told(503), Cause::Unavailable),
        (Some(problem(429, "rateLimited", "1")), Cause::RateLimited),
    ] {
        let mut answers = VecDeque::from([sent]);
        let http = authority(move |_| answers.pop_front().flatten());
        let error = account(&http).order(&names(), None).await.map(drop).unwrap_err();
        assert_eq!(error.cause, cause, "{error}");
    }
}

#[tokio::test]
async fn without_a_nonce_no_order_is_placed() {
    let answers = |method: &Method, url: &Uri| match (method, url.path()) {
        (_, "/dir") => Some(directory()),
        _ => None,
    };
    let http = Http::through(URL, Box::new(Canned::new(answers)));
    let error = account(&http).order(&names(), None).await.map(drop).unwrap_err();
    assert_eq!(error.cause, Cause::Unavailable);
}

#[tokio::test]
async fn an_order_with_names_without_end_is_not_followed() {
    let http = authority(|_| order("pending", 101));
    let mut order = account(&http).order(&names(), None).await.unwrap();
    assert_eq!(order.challenges(Proved::Dns).await.unwrap_err().cause, Cause::Unavailable);
    assert_eq!(order.answer(Proved::Dns).await.unwrap_err().cause, Cause::Unavailable);
    assert_eq!(http.all_requests(), 3);
}

/// An authority that takes the request and never answers.
struct Silent;

impl HttpClient for Silent {
    fn request(&self, _: Request<BodyWrapper<Bytes>>) -> Sent {
        Box::pin(std::future::pending())
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_waits_for_ever() {
    let http = Http::through(URL, Box::new(Silent));
    let error = account(&http).order(&names(), None).await.map(drop).unwrap_err();
    assert_eq!(error.cause, Cause::Unavailable, "not even a nonce was had");
    assert!(error.to_string().contains("in time"), "{error}");
}

#[tokio::test]
async fn only_so_many_requests_are_under_way_at_a_time() {
    /// Counts those that wait for its answer.
    #[derive(Default)]
    struct Busy(Arc<AtomicUsize>, Arc<AtomicUsize>);
    impl HttpClient for Busy {
        fn request(&self, _: Request<BodyWrapper<Bytes>>) -> Sent {
            let (now, most) = (Arc::clone(&self.0), Arc::clone(&self.1));
            Box::pin(async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                now.fetch_sub(1, Ordering::SeqCst);
                Err(Error::Str("an answer"))
            })
        }
    }
    let busy = Busy::default();
    let most = Arc::clone(&busy.1);
    let http = Http::through(URL, Box::new(busy));
    let all = (0..200).map(|number| {
        let http = http.metered();
        async move { http.get::<Directory>(&format!("https://ca.example/{number}")).await.map(drop) }
    });
    assert!(futures::future::join_all(all).await.iter().all(Result::is_err));
    assert_eq!(most.load(Ordering::SeqCst), MOST_AT_ONCE);
}
