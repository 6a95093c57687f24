use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};

use super::*;

/// Mutations of each seed. The fuzzers themselves make millions.
const ROUNDS: usize = 150;
const DIRECTORY: &str = r#"{"newNonce": "https://ca.example/nonce", "newAccount": "https://ca.example/account",
    "newOrder": "https://ca.example/order", "meta": {"profiles": {"a": "b"}}}"#;

/// What an authority answers, from the account to the certificate.
fn order(status: &str) -> String {
    format!(
        r#"{{"status": "{status}", "authorizations": ["https://ca.example/authz/1"], "replaces": "aa.bb",
            "finalize": "https://ca.example/finalize/1", "certificate": "https://ca.example/cert/1"}}"#
    )
}

fn authorization(status: &str) -> String {
    let challenge = |kind: &str| {
        format!(
            r#"{{"type": "{kind}", "url": "https://ca.example/chall/{kind}", "status": "{status}", "token": "t",
                "error": {{"type": "urn:ietf:params:acme:error:dns", "detail": "SERVFAIL"}}}}"#
        )
    };
    format!(
        r#"{{"identifier": {{"type": "dns", "value": "example.dev"}}, "status": "{status}", "wildcard": true,
            "challenges": [{}, {}]}}"#,
        challenge("dns-01"),
        challenge("http-01")
    )
}

fn problem(kind: &str) -> String {
    format!(
        r#"{{"type": "urn:ietf:params:acme:error:{kind}", "detail": "no, retry after 2026-01-01", "status": 400,
            "subproblems": [{{"type": "urn:ietf:params:acme:error:caa", "detail": "no",
                "identifier": {{"type": "dns", "value": "example.dev"}}}}]}}"#
    )
}

fn seeds() -> Vec<String> {
    let nonce = "200\nReplay-Nonce: abc\n\n".to_owned();
    let made = |body: &str| {
        format!("201\nReplay-Nonce: abc\nLocation: https://ca.example/1\nRetry-After: 3\n\n{body}")
    };
    let ok = |body: &str| {
        format!(
            "200\nReplay-Nonce: abc\nRetry-After: Sat, 01 Jan 2000 00:00:00 GMT\nDate: Sat, 01 Jan 2000 00:00:00 GMT\n\n{body}"
        )
    };
    let refused = |status: u16, kind: &str| {
        format!("{status}\nReplay-Nonce: abc\nRetry-After: 99999999999\n\n{}", problem(kind))
    };
    let flow = |last: &[String]| {
        let mut all = vec![nonce.clone(), made("{}"), made(&order("pending")), ok(&authorization("pending"))];
        all.extend_from_slice(last);
        all.join("\n====\n")
    };
    let challenge =
        ok(r#"{"type": "dns-01", "url": "https://ca.example/chall/1", "status": "pending", "token": "t"}"#);
    let (ready, processing, valid) = (ok(&order("ready")), ok(&order("processing")), ok(&order("valid")));
    vec![
        flow(&[
            challenge.clone(),
            ready.clone(),
            processing,
            valid.clone(),
            ok("-----BEGIN CERTIFICATE-----"),
        ]),
        flow(&[challenge.clone(), ready, refused(403, "orderNotReady"), valid]),
        flow(&[challenge.clone(), ok(&order("invalid")), ok(&authorization("invalid"))]),
        flow(&[refused(400, "malformed"), ok(&authorization("valid"))]),
        flow(&[
            challenge,
            refused(429, "rateLimited"),
            refused(404, "malformed"),
            refused(500, "serverInternal"),
        ]),
        vec![refused(400, "badNonce"); 40].join("\n====\n"),
        [nonce, refused(400, "accountDoesNotExist"), "502\n\n<html>".into()].join("\n====\n"),
        ok(DIRECTORY),
    ]
}

/// Bytes changed, cut, doubled or taken from elsewhere.
fn mutated(seed: &[u8], other: &[u8], chance: &mut StdRng) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..chance.random_range(1..=8) {
        let at = chance.random_range(0..=bytes.len().saturating_sub(1));
        match chance.random_range(0..5) {
            0 if !bytes.is_empty() => bytes[at] = chance.random(),
            1 => bytes.truncate(at),
            2 => bytes.insert(at.min(bytes.len()), chance.random()),
            3 => {
                let from = chance.random_range(0..other.len());
                let part = &other[from..(from + 40).min(other.len())];
                bytes.splice(at.min(bytes.len())..at.min(bytes.len()), part.iter().copied());
            }
            _ => bytes.extend_from_within(at.min(bytes.len())..),
        }
    }
    bytes
}

fn storm(seeds: &[Vec<u8>], target: impl Fn(&[u8])) {
    let mut chance = StdRng::seed_from_u64(1);
    for seed in seeds {
        target(seed);
        for _ in 0..ROUNDS {
            let other = &seeds[chance.random_range(0..seeds.len())];
            target(&mutated(seed, other, &mut chance));
        }
    }
}

#[test]
fn no_answer_of_an_authority_brings_anything_down() {
    let seeds: Vec<Vec<u8>> = seeds().into_iter().map(String::into_bytes).collect();
    storm(&seeds, acme_answers);
}

fn chains() -> Vec<Vec<u8>> {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let root = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["example.dev".to_owned(), "*.example.dev".to_owned()]).unwrap();
    params.not_after = date_time_ymd(4096, 1, 1);
    params.use_authority_key_identifier_extension = true;
    let leaf = params.signed_by(&key, &issuer).unwrap().pem();
    let text = |chain: String| format!("{chain}\0{}", key.serialize_pem()).into_bytes();
    vec![text(leaf.clone()), text(format!("{leaf}{root}")), b"-----BEGIN CERTIFICATE-----\n\0".to_vec()]
}

#[test]
fn no_chain_and_no_key_brings_anything_down() {
    storm(&chains(), certificate);
}

#[test]
fn the_seeds_reach_the_end() {
    // A storm that never gets anywhere would prove nothing.
    let chain = acme::fuzz::answers(seeds()[0].as_bytes(), None);
    assert_eq!(chain.as_deref(), Some("-----BEGIN CERTIFICATE-----"));
    for seed in &chains()[..2] {
        let text = String::from_utf8(seed.clone()).unwrap();
        let (chain, key) = text.split_once(KEY).unwrap();
        Certificate::read(chain, key.into()).unwrap();
    }
}
