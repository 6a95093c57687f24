//! Ports for servers that are told where to listen.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};

use anyhow::{Result, bail};

/// Below these, and above those of well-known services, no system gives a port to a connection by itself: a server that is
/// started a moment later, or once more, finds it free still.
const FIRST: u16 = 10_000;
const LAST: u16 = 32_000;
/// Ports that are tried.
const TRIES: u32 = 1_000;

/// A port that nobody listens at.
///
/// # Errors
/// If there is none.
pub(crate) fn free_port() -> Result<u16> {
    for _ in 0..TRIES {
        let number = RandomState::new().hash_one(()) % u64::from(LAST - FIRST);
        let port = FIRST + u16::try_from(number)?;
        let at = (Ipv4Addr::LOCALHOST, port);
        if TcpListener::bind(at).is_ok() && UdpSocket::bind(at).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port is free between {FIRST} and {LAST}; end the servers that a test left behind")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_connection_is_given_a_port_for_servers() {
        let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap();
        let lowest: u16 = range.split_whitespace().next().unwrap().parse().unwrap();
        let ports: Vec<u16> = (0..20).map(|_| free_port().unwrap()).collect();
        assert!(ports.iter().all(|port| (FIRST..LAST).contains(port) && *port < lowest), "{ports:?}");
        assert!(ports.iter().any(|port| *port != ports[0]), "{ports:?}");
    }
}
