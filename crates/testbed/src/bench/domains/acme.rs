//! Requests that the authority answered, by its own log.

use std::collections::BTreeMap;

use crate::pebble::Pebble;

/// Requests by method and what is asked for.
pub(super) type Requests = BTreeMap<String, u64>;

/// What one certificate takes at least when its names have to be proved: the order, its authorization, the challenge, the
/// order's progress twice (the proof is looked at, and the certificate is made, after the answer), the certificate request
/// and the certificate. Directory, nonces and the account are everybody's.
pub(super) const LEAST: u64 = 7;

/// All so far.
pub(super) fn requests(authority: &Pebble) -> Requests {
    count(&authority.log())
}

fn count(log: &str) -> Requests {
    let mut all = Requests::new();
    for line in log.lines() {
        let Some((before, _)) = line.split_once(" -> calling handler()") else { continue };
        let mut words = before.rsplitn(3, ' ');
        if let (Some(path), Some(method)) = (words.next(), words.next()) {
            let what = path.split('/').find(|part| !part.is_empty()).unwrap_or_default();
            *all.entry(format!("{method} {what}")).or_default() += 1;
        }
    }
    all
}

/// Those that came since.
pub(super) fn since(now: &Requests, earlier: &Requests) -> Requests {
    let new = now.iter().map(|(kind, count)| (kind, count - earlier.get(kind).copied().unwrap_or_default()));
    new.filter(|(_, count)| *count > 0).map(|(kind, count)| (kind.clone(), count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_what_they_ask_for() {
        let log = "Pebble 2026/11/29 21:30:50 HEAD /nonce-plz -> calling handler()\n\
            Pebble 2026/11/29 21:30:50 POST /order-plz -> calling handler()\n\
            Pebble 2026/11/29 21:30:50 There are now 1 orders in the db\n\
            Pebble 2026/11/29 21:30:50 POST /my-order/ -> calling handler()\n\
            Pebble 2026/11/29 21:30:51 POST /my-order/ -> calling handler()\n";
        let all = count(log);
        assert_eq!(all["HEAD nonce-plz"], 1);
        assert_eq!(all["POST my-order"], 2);
        let first = Requests::from([("POST my-order".to_owned(), 1)]);
        assert_eq!(since(&all, &first).values().sum::<u64>(), 3);
    }
}
