//! What certificates are validated against: the simulator's own fake DNS, or a real server.

pub mod caa;
pub mod fake;
pub mod look;
mod resolver;

pub use fake::{Dns, Records};
pub use look::{Failure, Seen};

/// The longest chain of CNAMEs that is followed.
const LONGEST_CHAIN: usize = 8;

/// A hostname without the `*.` of a wildcard.
pub fn bare(hostname: &str) -> &str {
    hostname.strip_prefix("*.").unwrap_or(hostname)
}

/// The name whose CNAME gives the DNS-01 challenge to Fly.
pub fn challenge_name(hostname: &str) -> String {
    format!("_acme-challenge.{}", bare(hostname))
}

/// The name of the TXT record that proves ownership.
pub fn ownership_name(hostname: &str) -> String {
    format!("_fly-ownership.{}", bare(hostname))
}

/// Whether two names are the same, with or without a final dot.
pub fn same_name(a: &str, b: &str) -> bool {
    a.trim_end_matches('.').eq_ignore_ascii_case(b.trim_end_matches('.'))
}

/// A name and all above it, up to the top level.
fn climb(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |name| name.split_once('.').map(|(_, rest)| rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_shares_its_proofs_with_the_name_that_it_is_under() {
        assert_eq!(challenge_name("*.example.com"), challenge_name("example.com"));
        assert_eq!(ownership_name("*.example.com"), "_fly-ownership.example.com");
    }

    #[test]
    fn a_climb_ends_at_the_top() {
        assert_eq!(climb("a.b.com").collect::<Vec<_>>(), ["a.b.com", "b.com", "com"]);
    }
}
