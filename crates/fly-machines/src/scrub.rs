//! Making the API's words fit to be shown: stable, bounded, and without anything that opens a door.

/// The longest text that is kept for logs, in bytes.
const DETAIL_LIMIT: usize = 2048;
/// The longest text that is shown, in bytes.
const MESSAGE_LIMIT: usize = 300;

/// The API's words for logs: bounded, printable, no tokens.
pub(crate) fn detail(text: &str) -> String {
    rewrite(text, DETAIL_LIMIT, |word| looks_like_token(word).then_some("[redacted]"))
}

/// Whether plain numbers are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Numbers {
    /// They are, as in a rule that the request broke.
    Shown,
    /// They aren't, since they count what is in use at the moment.
    Hidden,
}

/// The API's words for a status: also without what differs from one request to the next.
pub(crate) fn message(text: &str, numbers: Numbers) -> String {
    rewrite(text, MESSAGE_LIMIT, |word| {
        if looks_like_token(word) {
            Some("[redacted]")
        } else if varies(word) || (numbers == Numbers::Hidden && is_number(word)) {
            Some("…")
        } else {
            None
        }
    })
}

fn rewrite(text: &str, limit: usize, replace: impl Fn(&str) -> Option<&'static str>) -> String {
    let mut out = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        let core = word.trim_matches(|c: char| c.is_ascii_punctuation() && c != '+');
        let shown = match replace(core) {
            Some(other) => word.replacen(core, other, 1),
            None => word.to_owned(),
        };
        if out.len() + shown.len() + 1 > limit {
            out.push('…');
            break;
        }
        // One mark stands for a run of words that vary, such as a date with its time.
        if shown == "…" && out.ends_with('…') {
            continue;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(&shown);
    }
    out
}

fn looks_like_token(word: &str) -> bool {
    let macaroon = ["fm1r_", "fm1a_", "fm2_", "fo1_"].iter().any(|prefix| word.contains(prefix));
    let opaque = word.len() >= 40
        && !word.contains("sha256:")
        && word.chars().all(|c| c.is_ascii_alphanumeric() || "+/=_-".contains(c))
        && word.chars().any(|c| c.is_ascii_digit())
        && word.chars().any(|c| c.is_ascii_uppercase());
    macaroon || opaque
}

/// Times, request ids and other people's token ids.
fn varies(word: &str) -> bool {
    is_ulid(word) || is_uuid(word) || is_time(word) || word == "UTC"
}

fn is_number(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit())
        && word.chars().all(|c| c.is_ascii_digit() || ".,".contains(c))
}

fn is_ulid(word: &str) -> bool {
    let id = word.split('-').next().unwrap_or_default();
    id.len() == 26 && id.starts_with('0') && id.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
}

fn is_uuid(word: &str) -> bool {
    let id = word.split('@').next().unwrap_or_default();
    id.len() == 36 && id.split('-').map(str::len).eq([8, 4, 4, 4, 12])
}

/// A date, a time of day, a zone, a span such as `1.5s`, or a number so long that it counts from the epoch.
fn is_time(word: &str) -> bool {
    if is_number(word) {
        return word.len() >= 10;
    }
    let clock = |c: char| c.is_ascii_digit() || "-:.+TZmshnµu".contains(c);
    word.chars().all(clock) && word.starts_with(|c: char| c.is_ascii_digit() || c == '+')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_between_requests_is_left_out() {
        let first = message("lease currently held by hello@fly.io, expires at 2022-10-20 19:59:06 +0000 UTC");
        let second =
            message("lease currently held by hello@fly.io, expires at 2022-10-21 08:01:13 +0000 UTC");
        assert_eq!(first, second);
        assert_eq!(first, "lease currently held by hello@fly.io, expires at …");
        let first =
            message("failed: request 01JNRQ9VVKJ7HZFMJWJB3M3RYN-yyz at 2026-01-01T00:00:00Z took 1.5s");
        assert_eq!(first, "failed: request … at … took …");
        assert_eq!(message("expires at 1708569778"), "expires at …");
        let quota = "is using 4096 MB of memory in dfw";
        assert_eq!(super::message(quota, Numbers::Hidden), "is using … MB of memory in dfw");
    }

    fn message(text: &str) -> String {
        super::message(text, Numbers::Shown)
    }

    #[test]
    fn ids_and_rules_that_help_are_kept() {
        let text = "Name under 63 chars using numbers, lowercase letters and dashes";
        assert_eq!(message(text), text);
        let text = "volume is currently bound to machine: 3d8d9014b32d89";
        assert_eq!(message(text), text);
        let text = "insufficient resources to create new machine with existing volume 'vol_4y5gkog8p5kj839r'";
        assert_eq!(message(text), text);
    }

    #[test]
    fn tokens_are_left_out_everywhere() {
        let text = "bad token fm2_lJPECAAAAAAAAAYzxBCfN for app";
        for shown in [message(text), detail(text)] {
            assert!(!shown.contains("lJPEC"), "{shown}");
            assert!(shown.contains("[redacted]"), "{shown}");
        }
    }

    #[test]
    fn nothing_is_long_or_unprintable() {
        assert!(message(&"long ".repeat(1000)).len() <= MESSAGE_LIMIT + '…'.len_utf8());
        assert!(detail(&"x".repeat(1_000_000)).len() <= DETAIL_LIMIT + '…'.len_utf8());
        assert_eq!(message("claimed by machine \0\0\0\0\nnow"), "claimed by machine now");
    }
}
