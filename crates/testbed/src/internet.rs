//! The DNS of an Internet in small: a root, servers with zones below it, and a resolver that finds its way to them.
//!
//! Its servers answer at one port of addresses 127.x.y.z of its own; BIND, which can be there once, at 127.0.0.1. Zones are written without SOA and NS records of
//! their own: these follow from which servers have them, and the root delegates to them where no other zone does.

use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::process;
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Context, Result};
use futures::future::try_join_all;

use crate::name_server::{NameServer, Software, ZoneFile};
use crate::ports::free_port;

/// Seconds for which answers that nothing is there may be remembered.
pub const NEGATIVE_TTL: u32 = 7;

/// Last part of the address of the root's server.
const ROOT: u8 = 250;

/// What is to be started.
pub struct Internet {
    network: [u8; 3],
    port: u16,
    servers: Vec<(Software, Vec<(String, String)>)>,
    root: String,
}

/// What runs. Dropping it ends it.
pub struct RunningInternet {
    /// The servers, in the order in which they were named.
    pub servers: Vec<NameServer>,
    root: NameServer,
    resolver: NameServer,
}

impl Internet {
    /// One with nothing in it, on a network of its own.
    pub fn new() -> Result<Self> {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        // Tests run in many processes, and each may have many of these.
        let at = process::id().wrapping_mul(61).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed).into());
        let [_, _, high, low] = at.to_be_bytes();
        let network = [127, high.clamp(1, 254), low];
        let port = free_port()?;
        Ok(Self { network, port, servers: Vec::new(), root: String::new() })
    }

    /// The address for the server with this number, counted from 1. Numbers from 100 to 199 are never servers of its
    /// own: whoever listens there is somebody else's.
    pub fn address(&self, number: u8) -> SocketAddr {
        let [a, b, c] = self.network;
        SocketAddr::from(([a, b, c, number], self.port))
    }

    /// Another server, with these zones and what they hold beside SOA and NS records. It goes by the name
    /// `ns{number}.servers.test`.
    #[must_use]
    pub fn server(mut self, software: Software, zones: &[(&str, &str)]) -> Self {
        let zones = zones.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        self.servers.push((software, zones.collect()));
        self
    }

    /// Records that the root has as well, such as delegations to somebody else's servers.
    #[must_use]
    pub fn root(mut self, text: &str) -> Self {
        self.root.push_str(text);
        self.root.push('\n');
        self
    }

    /// Starts all of it.
    pub async fn start(self) -> Result<RunningInternet> {
        let at_root = self.address(ROOT);
        let at_resolver = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let root = [ZoneFile { name: String::new(), text: self.root_zone()? }];
        let root = NameServer::serve(Software::Knot, at_root, &root).await.context("the root")?;
        let starts = self.servers.iter().zip(1..).map(async |((software, zones), number)| {
            let files: Vec<_> = zones.iter().map(|(name, text)| self.zone_file(name, text)).collect();
            NameServer::serve(*software, self.place(*software, number), &files)
                .await
                .with_context(|| format!("ns{number}"))
        });
        let servers = try_join_all(starts).await?;
        let resolver = NameServer::resolver(at_resolver, at_root).await.context("the resolver")?;
        Ok(RunningInternet { servers, root, resolver })
    }

    /// Where the server with this number answers.
    fn place(&self, software: Software, number: u8) -> SocketAddr {
        match software {
            Software::Knot => self.address(number),
            Software::Bind => SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)),
        }
    }

    fn zone_file(&self, name: &str, text: &str) -> ZoneFile {
        let servers: Vec<String> =
            self.holders(name).iter().map(|server| format!("@ NS {server}\n")).collect();
        let head = format!("$ORIGIN {name}.\n$TTL 60\n{}", soa());
        ZoneFile { name: name.to_owned(), text: head + &servers.concat() + text + "\n" }
    }

    fn root_zone(&self) -> Result<String> {
        let mut text = format!("$ORIGIN .\n$TTL 60\n{}@ NS root.servers.test.\n{}\n", soa(), self.root);
        writeln!(text, "root.servers.test. A {}", self.address(ROOT).ip())?;
        for ((software, _), number) in self.servers.iter().zip(1..) {
            writeln!(text, "ns{number}.servers.test. A {}", self.place(*software, number).ip())?;
        }
        for zone in self.delegated() {
            for server in self.holders(zone) {
                writeln!(text, "{zone}. NS {server}")?;
            }
        }
        Ok(text)
    }

    /// Zones that no other zone lies above.
    fn delegated(&self) -> Vec<&str> {
        let zones = || self.servers.iter().flat_map(|(_, zones)| zones.iter().map(|(name, _)| name.as_str()));
        let is_below = |zone: &str| zones().any(|other| zone.ends_with(&format!(".{other}")));
        let mut delegated: Vec<&str> = zones().filter(|zone| !is_below(zone)).collect();
        delegated.sort_unstable();
        delegated.dedup();
        delegated
    }

    /// Names of the servers that have a zone.
    fn holders(&self, zone: &str) -> Vec<String> {
        let numbered = self.servers.iter().zip(1..);
        let holding = numbered.filter(|((_, zones), _)| zones.iter().any(|(name, _)| name == zone));
        holding.map(|(_, number)| format!("ns{number}.servers.test.")).collect()
    }
}

impl RunningInternet {
    /// The resolver's address.
    pub fn resolver(&self) -> SocketAddr {
        self.resolver.address()
    }

    /// The port of all servers.
    pub fn port(&self) -> u16 {
        self.root.address().port()
    }
}

fn soa() -> String {
    format!("@ SOA root.servers.test. admin.servers.test. 1 3600 600 86400 {NEGATIVE_TTL}\n")
}
