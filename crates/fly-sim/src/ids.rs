//! Identifiers in the shapes that Fly's have, from a seeded source.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sha2::{Digest, Sha256};
use ulid::Ulid;

use crate::clock::Millis;

const LOWER: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// The simulator's one source of chance: the same seed gives the same run.
#[derive(Debug)]
pub struct Ids {
    rng: StdRng,
    last: Ulid,
}

impl Ids {
    /// A source from a seed. `boot` counts the simulator's own starts, so that a restart repeats no identifier.
    pub fn new(seed: u64, boot: u64) -> Self {
        let rng = StdRng::seed_from_u64(seed ^ boot.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        Self { rng, last: Ulid::nil() }
    }

    /// A number from an inclusive range.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        if high > low { self.rng.random_range(low..=high) } else { low }
    }

    /// Whether a thing of this probability happens now.
    pub fn chance(&mut self, probability: f64) -> bool {
        probability >= 1.0 || self.rng.random::<f64>() < probability
    }

    /// So many hexadecimal digits.
    pub fn hex(&mut self, digits: usize) -> String {
        self.letters(&LOWER[..16], digits)
    }

    /// So many lowercase letters and digits.
    pub fn alphanumeric(&mut self, digits: usize) -> String {
        self.letters(LOWER, digits)
    }

    /// A Machine's id: 14 hexadecimal digits that start with a digit.
    pub fn machine(&mut self) -> String {
        format!("{}{}", self.rng.random_range(1..=9), self.hex(13))
    }

    /// A version or event id: a ULID at this time, later than all before it.
    pub fn ulid(&mut self, at: Millis) -> String {
        let fresh = Ulid::from_parts(u64::try_from(at).unwrap_or(0), self.rng.random());
        self.last = self.last.increment().filter(|next| *next > fresh).unwrap_or(fresh);
        self.last.to_string()
    }

    /// A private IPv6 address on a network, given by its number.
    pub fn private_ip(&mut self, network: u64) -> String {
        let (a, b) = (self.rng.random::<u16>(), self.rng.random::<u16>());
        format!(
            "fdaa:{:x}:{:x}:a7b:{a:x}:{b:x}:{:x}:2",
            network >> 16,
            network & 0xffff,
            self.rng.random::<u16>()
        )
    }

    /// The octets of an address in a block.
    pub fn octets(&mut self) -> [u8; 4] {
        self.rng.random()
    }

    fn letters(&mut self, from: &[u8], count: usize) -> String {
        (0..count).map(|_| char::from(from[self.rng.random_range(0..from.len())])).collect()
    }
}

/// Lowercase hexadecimal SHA-256.
pub fn sha256_hex(data: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(data).iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_and_a_restart_does_not() {
        let first = Ids::new(7, 0).machine();
        assert_eq!(first, Ids::new(7, 0).machine());
        assert_ne!(first, Ids::new(7, 1).machine());
        assert_eq!(first.len(), 14);
    }
}
