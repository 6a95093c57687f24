//! Cookies that lead a client's next reads to the backend which made its change.
//!
//! The API sets one for each app, on the app's path. A general cookie jar searches all of them for each request and
//! never forgets; this one looks up the few paths above the request's, and keeps a bounded number.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::HeaderValue;
use reqwest::Url;
use reqwest::cookie::CookieStore;
use tokio::time::Instant;

/// The most paths that cookies are kept for.
const MOST_PATHS: usize = 4096;
/// The most cookies on one path, and the longest one.
const MOST_PER_PATH: usize = 8;
const LONGEST: usize = 4096;
/// How long a cookie is kept that doesn't say.
const KEPT: Duration = Duration::from_hours(1);

#[derive(Debug)]
struct Cookie {
    name: String,
    value: String,
    ends: Instant,
}

/// Cookies of the one host that a client talks to.
#[derive(Debug, Default)]
pub(crate) struct Jar {
    by_path: Mutex<HashMap<String, Vec<Cookie>>>,
}

impl CookieStore for Jar {
    fn set_cookies(&self, headers: &mut dyn Iterator<Item = &HeaderValue>, url: &Url) {
        let now = Instant::now();
        for header in headers {
            if let Some((path, cookie)) = header.to_str().ok().and_then(|text| parse(text, url.path(), now)) {
                self.keep(path, cookie, now);
            }
        }
    }

    fn cookies(&self, url: &Url) -> Option<HeaderValue> {
        let now = Instant::now();
        let by_path = self.by_path.lock().unwrap_or_else(PoisonError::into_inner);
        let found: Vec<String> = prefixes(url.path())
            .filter_map(|path| by_path.get(path))
            .flatten()
            .filter(|cookie| cookie.ends > now)
            .map(|cookie| format!("{}={}", cookie.name, cookie.value))
            .collect();
        if found.is_empty() { None } else { HeaderValue::from_str(&found.join("; ")).ok() }
    }
}

impl Jar {
    fn keep(&self, path: String, cookie: Cookie, now: Instant) {
        let mut by_path = self.by_path.lock().unwrap_or_else(PoisonError::into_inner);
        if by_path.len() >= MOST_PATHS && !by_path.contains_key(&path) {
            make_room(&mut by_path, now);
        }
        let cookies = by_path.entry(path).or_default();
        cookies.retain(|other| other.name != cookie.name && other.ends > now);
        if cookie.ends > now && cookies.len() < MOST_PER_PATH {
            cookies.push(cookie);
        }
    }
}

/// Forgets what has ended; if that isn't enough, the half that ends first.
fn make_room(by_path: &mut HashMap<String, Vec<Cookie>>, now: Instant) {
    let last = |cookies: &Vec<Cookie>| cookies.iter().map(|cookie| cookie.ends).max().unwrap_or(now);
    by_path.retain(|_, cookies| last(cookies) > now);
    if by_path.len() >= MOST_PATHS {
        let mut ends: Vec<Instant> = by_path.values().map(last).collect();
        ends.sort_unstable();
        let middle = ends[ends.len() / 2];
        by_path.retain(|_, cookies| last(cookies) > middle);
    }
}

/// The path itself, then each of its parents.
fn prefixes(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path.trim_end_matches('/')), |path| {
        path.rfind('/').map(|slash| &path[..slash])
    })
}

fn parse(text: &str, request_path: &str, now: Instant) -> Option<(String, Cookie)> {
    let mut parts = text.split(';').map(str::trim);
    let (name, value) = parts.next()?.split_once('=')?;
    if name.is_empty() || text.len() > LONGEST {
        return None;
    }
    let parent = request_path.rfind('/').map_or("", |slash| &request_path[..slash]);
    let (mut path, mut kept) = (parent, KEPT);
    for (key, value) in parts.filter_map(|part| part.split_once('=')) {
        if key.eq_ignore_ascii_case("path") && value.starts_with('/') {
            path = value.trim_end_matches('/');
        } else if key.eq_ignore_ascii_case("max-age") {
            kept = Duration::from_secs(value.parse::<i64>().ok()?.max(0).unsigned_abs()).min(KEPT);
        }
    }
    let cookie = Cookie { name: name.to_owned(), value: value.to_owned(), ends: now + kept };
    Some((path.to_owned(), cookie))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(path: &str) -> Url {
        Url::parse("https://api.machines.dev").unwrap().join(path).unwrap()
    }

    fn set(jar: &Jar, text: &str, path: &str) {
        let header = HeaderValue::from_str(text).unwrap();
        jar.set_cookies(&mut std::iter::once(&header), &url(path));
    }

    fn get(jar: &Jar, path: &str) -> Option<String> {
        jar.cookies(&url(path)).map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_cookie_returns_on_its_path_and_below_only() {
        let jar = Jar::default();
        set(&jar, "fly_flaps_affinity=abc; Path=/v1/apps/one; HttpOnly", "/v1/apps");
        assert_eq!(get(&jar, "/v1/apps/one").as_deref(), Some("fly_flaps_affinity=abc"));
        assert_eq!(get(&jar, "/v1/apps/one/machines").as_deref(), Some("fly_flaps_affinity=abc"));
        assert_eq!(get(&jar, "/v1/apps/one-more"), None);
        assert_eq!(get(&jar, "/v1/apps"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn cookies_end() {
        let jar = Jar::default();
        set(&jar, "a=1; Path=/; Max-Age=10", "/");
        assert_eq!(get(&jar, "/v1/apps").as_deref(), Some("a=1"));
        tokio::time::advance(Duration::from_secs(11)).await;
        assert_eq!(get(&jar, "/v1/apps"), None);
        set(&jar, "a=1; Path=/", "/");
        set(&jar, "a=; Path=/; Max-Age=0", "/");
        assert_eq!(get(&jar, "/v1/apps"), None);
    }

    #[test]
    fn the_jar_is_bounded() {
        let jar = Jar::default();
        for app in 0..3 * MOST_PATHS {
            set(&jar, &format!("a=1; Path=/v1/apps/{app}"), "/v1/apps");
        }
        assert!(jar.by_path.lock().unwrap().len() <= MOST_PATHS);
        assert!(get(&jar, &format!("/v1/apps/{}", 3 * MOST_PATHS - 1)).is_some(), "the newest is kept");
    }
}
