//! What a gateway's health endpoints say.
//!
//! A status alone proves nothing: the gateway answers any unknown path with
//! 200 and a web page, so an older version seems "started" on `/startupz`.

use serde::Deserialize;

/// The longest answer that is looked at, in bytes.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// A health endpoint of the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// The process lives. The only one that every version answers, to anyone.
    Health,
    /// The start has come to its end. From 2026.8.1 on.
    Startup,
    /// All surfaces serve. One bad channel account makes it fail.
    Ready,
}

impl Probe {
    /// The path to ask.
    pub fn path(self) -> &'static str {
        match self {
            Self::Health => "/healthz",
            Self::Startup => "/startupz",
            Self::Ready => "/readyz",
        }
    }
}

/// What an answer to a [`Probe`] means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// What was asked is so.
    Healthy,
    /// The gateway is coming up.
    Starting,
    /// The gateway finishes its work and ends.
    Draining,
    /// The gateway lives, but not all of it serves.
    NotReady,
    /// The gateway doesn't take forwarded requests from this proxy.
    ProxyNotTrusted,
    /// Whatever answered, it wasn't this endpoint of a gateway.
    NotAGateway,
}

impl Verdict {
    /// One line for a user; stable, and without anything from the answer.
    pub fn message(self) -> &'static str {
        match self {
            Self::Healthy => "the gateway is healthy",
            Self::Starting => "the gateway is starting",
            Self::Draining => "the gateway finishes its work before it stops",
            Self::NotReady => "the gateway runs, but part of it isn't ready",
            Self::ProxyNotTrusted => "the gateway refuses requests that come through this proxy",
            Self::NotAGateway => "what answered isn't a gateway's health endpoint",
        }
    }

    /// What to do about it; None when there is nothing to do but wait.
    pub fn remedy(self) -> Option<&'static str> {
        match self {
            Self::Healthy | Self::Starting | Self::Draining => None,
            Self::NotReady => Some("see `openclaw health` in the Machine; often a channel's account fails"),
            Self::ProxyNotTrusted => {
                Some("add the proxy's range to the Blueprint's trusted proxies; the gateway logs its address")
            }
            Self::NotAGateway => Some("check the Blueprint's image, command and port"),
        }
    }
}

/// The fields of all three endpoints' answers.
#[derive(Deserialize)]
struct Answer {
    ok: Option<bool>,
    ready: Option<bool>,
    status: Option<String>,
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// Judges an answer by its HTTP status and its body.
pub fn judge(probe: Probe, status: u16, body: &[u8]) -> Verdict {
    let parsed =
        (body.len() <= MAX_BODY_BYTES).then(|| serde_json::from_slice::<Answer>(body).ok()).flatten();
    let Some(answer) = parsed else {
        return Verdict::NotAGateway;
    };
    let kind = answer.error.as_ref().and_then(|error| error.kind.as_deref());
    if status == 403 && kind == Some("proxy_attribution_required") {
        return Verdict::ProxyNotTrusted;
    }
    match (probe, status) {
        (Probe::Ready, _) => judge_ready(status, answer.ready),
        (_, 200 | 503) => judge_phase(probe, status, &answer),
        _ => Verdict::NotAGateway,
    }
}

fn judge_ready(status: u16, ready: Option<bool>) -> Verdict {
    match (status, ready) {
        (200, Some(true)) => Verdict::Healthy,
        (503, Some(false)) => Verdict::NotReady,
        _ => Verdict::NotAGateway,
    }
}

fn judge_phase(probe: Probe, status: u16, answer: &Answer) -> Verdict {
    match (probe, status, answer.ok, answer.status.as_deref()) {
        (Probe::Health, 200, Some(true), Some("live"))
        | (Probe::Startup, 200, Some(true), Some("started")) => Verdict::Healthy,
        (_, 503, Some(false), Some("starting")) => Verdict::Starting,
        (_, 503, Some(false), Some("draining")) => Verdict::Draining,
        _ => Verdict::NotAGateway,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_endpoint_is_healthy_by_its_own_words() {
        for (probe, body) in [
            (Probe::Health, r#"{"ok":true,"status":"live"}"#),
            (Probe::Startup, r#"{"ok":true,"status":"started","version":"2026.9.6","uptimeMs":5}"#),
            (Probe::Ready, r#"{"ready":true,"failing":[],"eventLoop":{}}"#),
        ] {
            assert_eq!(judge(probe, 200, body.as_bytes()), Verdict::Healthy, "{probe:?}");
        }
    }

    #[test]
    fn one_endpoint_s_words_do_not_do_for_another() {
        let live = br#"{"ok":true,"status":"live"}"#;
        assert_eq!(judge(Probe::Startup, 200, live), Verdict::NotAGateway);
        assert_eq!(judge(Probe::Ready, 200, live), Verdict::NotAGateway);
        assert_eq!(judge(Probe::Health, 201, live), Verdict::NotAGateway);
    }

    #[test]
    fn a_web_page_with_200_is_not_healthy() {
        for probe in [Probe::Health, Probe::Startup, Probe::Ready] {
            let page = b"<!doctype html><html><title>OpenClaw</title></html>";
            assert_eq!(judge(probe, 200, page), Verdict::NotAGateway);
        }
    }

    #[test]
    fn phases_are_told_apart() {
        let phase = |name: &str| format!(r#"{{"ok":false,"status":"{name}"}}"#);
        for (name, verdict) in [("starting", Verdict::Starting), ("draining", Verdict::Draining)] {
            assert_eq!(judge(Probe::Startup, 503, phase(name).as_bytes()), verdict);
        }
        assert_eq!(judge(Probe::Ready, 503, br#"{"ready":false}"#), Verdict::NotReady);
    }

    #[test]
    fn a_proxy_that_is_not_trusted_is_named() {
        let body = br#"{"error":{"type":"proxy_attribution_required","message":"..."}}"#;
        let verdict = judge(Probe::Startup, 403, body);
        assert_eq!(verdict, Verdict::ProxyNotTrusted);
        assert!(verdict.remedy().unwrap().contains("trusted proxies"));
    }

    #[test]
    fn odd_answers_are_not_a_gateway() {
        let long = vec![b' '; MAX_BODY_BYTES + 1];
        for body in [&b""[..], b"null", b"[]", b"{}", br#"{"ok":"yes"}"#, &long] {
            assert_eq!(judge(Probe::Health, 200, body), Verdict::NotAGateway);
        }
        assert_eq!(judge(Probe::Health, 200, br#"{"ok":false,"status":"live"}"#), Verdict::NotAGateway);
    }
}
