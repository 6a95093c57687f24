//! Which addresses are asked. Customers name the servers, so none may lead into networks that are ours.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// What isn't of the public Internet, by IANA's registry of special purposes, with multicast and what is reserved.
const CLOSED_V4: [Ipv4Net; 17] = [
    v4([0, 0, 0, 0], 8),
    v4([10, 0, 0, 0], 8),
    v4([100, 64, 0, 0], 10),
    v4([127, 0, 0, 0], 8),
    v4([169, 254, 0, 0], 16),
    v4([172, 16, 0, 0], 12),
    v4([192, 0, 0, 0], 24),
    v4([192, 0, 2, 0], 24),
    v4([192, 31, 196, 0], 24),
    v4([192, 52, 193, 0], 24),
    v4([192, 88, 99, 0], 24),
    v4([192, 168, 0, 0], 16),
    v4([192, 175, 48, 0], 24),
    v4([198, 18, 0, 0], 15),
    v4([198, 51, 100, 0], 24),
    v4([203, 0, 113, 0], 24),
    v4([224, 0, 0, 0], 3),
];
/// What is given to networks of the public Internet.
const OPEN_V6: Ipv6Net = v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);
/// What of that isn't: protocols' own, documentation, and IPv4 in disguise.
const CLOSED_V6: [Ipv6Net; 5] = [
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23),
    v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32),
    v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16),
    v6([0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0], 48),
    v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20),
];

const fn v4(address: [u8; 4], length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::from_octets(address), length)
}

const fn v6(address: [u16; 8], length: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::from_segments(address), length)
}

/// Which addresses are asked.
#[derive(Clone, Debug)]
pub enum Reach {
    /// Those of the public Internet, and of these networks.
    Public(Vec<IpNet>),
    /// All: the servers are the platform's own.
    Anywhere,
}

impl Reach {
    /// Those of the public Internet, and of networks as the configuration has them.
    pub fn public(allowed: &[String]) -> Self {
        Self::Public(allowed.iter().filter_map(|net| net.parse().ok()).collect())
    }

    /// Whether an address is asked.
    pub fn holds(&self, address: IpAddr) -> bool {
        match self {
            Self::Public(allowed) => is_public(address) || allowed.iter().any(|net| net.contains(&address)),
            Self::Anywhere => true,
        }
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !CLOSED_V4.iter().any(|net| net.contains(&address)),
        IpAddr::V6(address) => {
            OPEN_V6.contains(&address) && !CLOSED_V6.iter().any(|net| net.contains(&address))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(reach: &Reach, address: &str) -> bool {
        reach.holds(address.parse().unwrap())
    }

    #[test]
    fn servers_of_the_public_internet_are_asked() {
        let reach = Reach::public(&[]);
        for address in ["1.1.1.1", "198.41.0.4", "172.15.0.1", "100.128.0.1", "223.255.255.255"] {
            assert!(holds(&reach, address), "{address}");
        }
        for address in ["2606:4700::1111", "2001:500:2::c", "2a09:8280:1::1", "2001:200::1"] {
            assert!(holds(&reach, address), "{address}");
        }
    }

    #[test]
    fn others_are_not() {
        let reach = Reach::public(&[]);
        for address in [
            "0.0.0.0",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "127.8.8.8",
            "169.254.169.254",
            "172.31.255.1",
            "192.0.2.1",
            "192.168.1.1",
            "198.19.0.1",
            "203.0.113.9",
            "224.0.0.251",
            "240.0.0.1",
            "255.255.255.255",
            "192.88.99.1",
        ] {
            assert!(!holds(&reach, address), "{address}");
        }
        for address in [
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "fd00::1",
            "fe80::1",
            "fec0::1",
            "ff02::fb",
            "2001:db8::1",
            "2001::1",
            "2002:7f00:1::1",
            "3fff::1",
            "100::1",
            "5f00::1",
            "fdaa::3",
        ] {
            assert!(!holds(&reach, address), "{address}");
        }
    }

    #[test]
    fn the_configuration_lets_more_in() {
        let reach = Reach::public(&["10.1.0.0/16".into(), "::1/128".into()]);
        assert!(holds(&reach, "10.1.2.3") && holds(&reach, "::1") && holds(&reach, "1.1.1.1"));
        assert!(!holds(&reach, "10.2.0.1") && !holds(&reach, "::2") && !holds(&reach, "::ffff:10.1.2.3"));
        assert!(holds(&Reach::Anywhere, "127.0.0.1"));
    }
}
