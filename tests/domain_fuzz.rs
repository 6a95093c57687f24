//! What reads strangers' octets stands whatever comes in: the bodies of the fuzz targets, over their seeds and some
//! thousand changes of them, the same in every run.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "test code")]

#[path = "../fuzz/bodies.rs"]
mod bodies;

use std::path::Path;

/// Changes that are made of each seed.
const CHANGES: u32 = 400;

/// The same dice in every run (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % bound.max(1)
    }

    fn octet(&mut self) -> u8 {
        u8::try_from(self.below(256)).unwrap()
    }

    /// Changes a few octets, or cuts, doubles or joins.
    fn change(&mut self, octets: &mut Vec<u8>, others: &[Vec<u8>]) {
        for _ in 0..=self.below(4) {
            let at = self.below(octets.len());
            match self.below(6) {
                0 if !octets.is_empty() => octets[at] = self.octet(),
                1 if !octets.is_empty() => octets[at] ^= 1 << self.below(8),
                2 => octets.truncate(at),
                3 => octets.insert(at, self.octet()),
                4 => octets.extend_from_within(at..),
                _ => {
                    let other = &others[self.below(others.len())];
                    octets.truncate(at);
                    octets.extend_from_slice(&other[self.below(other.len())..]);
                }
            }
            octets.truncate(4096);
        }
    }
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|file| std::fs::read(file).unwrap()).collect()
}

fn run(target: &str, body: fn(&[u8])) {
    let (seeds, mut dice) = (seeds(target), Dice(0x9e37_79b9_7f4a_7c15));
    assert!(seeds.len() > 3, "{target} has {} seeds", seeds.len());
    for seed in &seeds {
        body(seed);
        for _ in 0..CHANGES {
            let mut octets = seed.clone();
            dice.change(&mut octets, &seeds);
            body(&octets);
        }
    }
}

#[test]
fn answers_of_name_servers() {
    run("dns_answer", bodies::dns_answer);
}

#[test]
fn hostnames() {
    run("hostname", bodies::hostname);
}

#[test]
fn authorizations_of_authorities() {
    run("caa", bodies::caa);
}

#[test]
fn answers_of_certificate_authorities() {
    run("acme_answers", bodies::acme_answers);
}

#[test]
fn chains_with_their_keys() {
    run("certificate", bodies::certificate);
}
