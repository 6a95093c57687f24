//! Short, stable names made from longer ones, and parts of a time.

use jiff::SignedDuration;
use sha2::{Digest, Sha256};

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// The first `length` characters of the base-32 SHA-256 of `parts`, each ended by a zero byte so that no two
/// lists of parts run together. Lower-case letters and digits; `length` is at most 51.
pub fn short_hash(parts: &[&str], length: usize) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.as_bytes());
        hasher.update([0]);
    }
    base32(&hasher.finalize()).chars().take(length).collect()
}

/// A part of the time that depends on nothing but the text, and is spread evenly over many texts.
pub fn share_of(whole: SignedDuration, text: &str) -> SignedDuration {
    let digest = Sha256::digest(text.as_bytes());
    let share = digest.iter().take(2).fold(0_i32, |number, byte| (number << 8) | i32::from(*byte));
    whole * share / i32::from(u16::MAX)
}

fn base32(bytes: &[u8]) -> String {
    let (mut text, mut buffer, mut bits) = (String::with_capacity(52), 0_u32, 0_u32);
    for byte in bytes {
        buffer = (buffer << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(ALPHABET[((buffer >> bits) & 31) as usize]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::short_hash;

    #[test]
    fn it_is_stable_and_keeps_parts_apart() {
        assert_eq!(short_hash(&["demo", "uid"], 10), short_hash(&["demo", "uid"], 10));
        assert_ne!(short_hash(&["ab", "c"], 10), short_hash(&["a", "bc"], 10));
        assert_eq!(short_hash(&["x"], 10).len(), 10);
    }
}
