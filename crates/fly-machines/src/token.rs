//! The token: where it comes from, and how it goes into a header.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::HeaderValue;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::Instant;

/// Where a client's token comes from. Never printed.
pub struct TokenSource(Source);

enum Source {
    Fixed(SecretString),
    File(PathBuf),
}

impl TokenSource {
    /// A token that never changes.
    pub fn fixed(token: impl Into<SecretString>) -> Self {
        Self(Source::Fixed(token.into()))
    }

    /// A file with the token, read again within half a minute of a change and at once when the token is refused.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(Source::File(path.into()))
    }

    fn read(&self) -> Result<HeaderValue, String> {
        match &self.0 {
            Source::Fixed(token) => authorization(token),
            Source::File(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|error| format!("the token file can't be read: {}", error.kind()))?;
                authorization(&SecretString::from(text))
            }
        }
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Fixed(_) => f.write_str("TokenSource::Fixed([redacted])"),
            Source::File(path) => f.debug_tuple("TokenSource::File").field(path).finish(),
        }
    }
}

/// How old a token from a file may be.
const FRESH: Duration = Duration::from_secs(30);

/// The token in use.
#[derive(Debug)]
pub(crate) struct Token {
    source: TokenSource,
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    header: HeaderValue,
    read_at: Instant,
}

impl Token {
    /// Reads the token for the first time, so that a bad one shows at the start.
    pub(crate) fn load(source: TokenSource) -> Result<Self, String> {
        let header = source.read()?;
        Ok(Self { source, current: Mutex::new(Current { header, read_at: Instant::now() }) })
    }

    /// The header to send. A file that can't be read for a while leaves the token that was.
    pub(crate) fn header(&self) -> HeaderValue {
        self.read_if_older(FRESH)
    }

    /// The token was refused: a header to try instead, if there is another by now.
    pub(crate) fn other_than(&self, refused: &HeaderValue) -> Option<HeaderValue> {
        let header = self.read_if_older(Duration::ZERO);
        (header != *refused).then_some(header)
    }

    fn read_if_older(&self, age: Duration) -> HeaderValue {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let is_file = matches!(self.source.0, Source::File(_));
        if is_file && current.read_at.elapsed() >= age {
            current.read_at = Instant::now();
            if let Ok(header) = self.source.read() {
                current.header = header;
            }
        }
        current.header.clone()
    }
}

/// The header for a token, whichever way it was copied.
fn authorization(token: &SecretString) -> Result<HeaderValue, String> {
    let bare = strip_scheme(token.expose_secret());
    if bare.is_empty() {
        return Err("the token is empty".to_owned());
    }
    if !bare.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(
            "the token has a space, a line break or another character that tokens don't have".to_owned()
        );
    }
    let macaroon = ["fm1r_", "fm1a_", "fm2_"].iter().any(|prefix| bare.starts_with(prefix));
    let scheme = if macaroon { "FlyV1" } else { "Bearer" };
    let text = SecretString::from(format!("{scheme} {bare}"));
    let mut header = HeaderValue::from_str(text.expose_secret())
        .map_err(|_| "the token can't go into a header".to_owned())?;
    header.set_sensitive(true);
    Ok(header)
}

fn strip_scheme(token: &str) -> &str {
    let mut bare = token.trim();
    loop {
        let (scheme, rest) = bare.split_once(' ').unwrap_or((bare, ""));
        if !scheme.eq_ignore_ascii_case("FlyV1") && !scheme.eq_ignore_ascii_case("Bearer") {
            return bare;
        }
        bare = rest.trim_start();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(token: &str) -> Result<String, String> {
        authorization(&SecretString::from(token)).map(|header| {
            assert!(header.is_sensitive());
            header.to_str().unwrap().to_owned()
        })
    }

    #[test]
    fn macaroons_and_other_tokens_have_their_schemes() {
        assert_eq!(header("fm2_abc,fm2_def\n").unwrap(), "FlyV1 fm2_abc,fm2_def");
        assert_eq!(header("FlyV1 fm2_abc").unwrap(), "FlyV1 fm2_abc");
        assert_eq!(header("Bearer FlyV1 fm1r_abc").unwrap(), "FlyV1 fm1r_abc");
        assert_eq!(header("  Bearer abcdef  ").unwrap(), "Bearer abcdef");
        assert_eq!(header("FlyV1 abcdef").unwrap(), "Bearer abcdef");
    }

    #[test]
    fn tokens_that_cannot_be_are_refused_without_showing_them() {
        for token in ["", "  \n", "Bearer ", "abc def", "abc\ndef", "ab\u{e9}c"] {
            let cause = header(token).unwrap_err();
            assert!(!cause.contains("abc"), "{cause}");
        }
    }

    #[test]
    fn nothing_prints_the_token() {
        let token = Token::load(TokenSource::fixed("fm2_canary".to_owned())).unwrap();
        let shown = format!("{token:?} {:?}", TokenSource::fixed("fm2_canary".to_owned()));
        assert!(!shown.contains("canary"), "{shown}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_rotated_file_is_read_again() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "fm2_one\n").unwrap();
        let token = Token::load(TokenSource::file(file.path())).unwrap();
        let first = token.header();
        std::fs::write(file.path(), "fm2_two\n").unwrap();
        assert_eq!(token.header(), first, "still fresh");
        assert_eq!(token.other_than(&first).unwrap(), "FlyV1 fm2_two");
        std::fs::write(file.path(), "fm2_three\n").unwrap();
        tokio::time::advance(FRESH).await;
        assert_eq!(token.header(), "FlyV1 fm2_three");
        std::fs::write(file.path(), "").unwrap();
        tokio::time::advance(FRESH).await;
        assert_eq!(token.header(), "FlyV1 fm2_three", "a file half written changes nothing");
    }
}
