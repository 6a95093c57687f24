//! Authoritative name servers, from the system's packages: Knot DNS, whose zones take dynamic updates, and BIND.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream as Probe};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use hickory_proto::op::{Message, Query};
use hickory_proto::rr::{Name, RecordType};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::janitor;
use crate::ports::free_port;
use crate::process::{POLL, Process};

/// Name of the key that updates are signed with, by hmac-sha256.
pub const TSIG_NAME: &str = "moorage";
/// That key, in base64. It guards nothing but a zone on loopback.
pub const TSIG_KEY: &str = "dGVzdGJlZCB0c2lnIGtleSBmb3IgbG9vcGJhY2sgb25seSE=";

const READY_WITHIN: Duration = Duration::from_secs(20);

/// Whose server it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Software {
    /// Knot DNS (`knotd`).
    Knot,
    /// BIND (`named`).
    Bind,
}

/// One zone with its records.
#[derive(Clone, Debug)]
pub struct ZoneFile {
    /// Its name, without a final dot; empty for the root.
    pub name: String,
    /// Its records, as a master file has them.
    pub text: String,
}

/// A running server. Dropping it ends it.
pub struct NameServer {
    process: Process,
    address: SocketAddr,
    zone: String,
    dir: TempDir,
}

impl NameServer {
    /// Starts one with an empty zone on a free loopback port.
    pub async fn start(zone: &str) -> Result<Self> {
        let text = format!(
            "$ORIGIN {zone}.\n$TTL 60\n@ SOA ns1 admin 1 3600 600 86400 5\n@ NS ns1\nns1 A 127.0.0.1\nwww A 192.0.2.80\n"
        );
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        Self::serve(Software::Knot, address, &[ZoneFile { name: zone.to_owned(), text }]).await
    }

    /// Starts one with these zones at this address.
    pub async fn serve(software: Software, address: SocketAddr, zones: &[ZoneFile]) -> Result<Self> {
        let dir = folder()?;
        for (at, zone) in zones.iter().enumerate() {
            fs::write(dir.path().join(format!("zone-{at}")), &zone.text)?;
        }
        let settings = match software {
            Software::Knot => knot(zones, address, dir.path()),
            Software::Bind => bind(zones, address, dir.path()),
        };
        let zone = zones.first().map(|zone| zone.name.clone()).unwrap_or_default();
        Self::spawn(software, address, zone, &settings, dir).await
    }

    /// Starts a resolver that finds its way from the root whose server is at `root`, all at that port. It remembers
    /// next to nothing.
    pub async fn resolver(address: SocketAddr, root: SocketAddr) -> Result<Self> {
        let dir = folder()?;
        let hints = format!(". 3600 NS root.servers.test.\nroot.servers.test. 3600 A {}\n", root.ip());
        fs::write(dir.path().join("hints"), hints)?;
        let settings = recursive(address, root.port(), dir.path());
        Self::spawn(Software::Bind, address, String::new(), &settings, dir).await
    }

    async fn spawn(
        software: Software,
        address: SocketAddr,
        zone: String,
        settings: &str,
        dir: TempDir,
    ) -> Result<Self> {
        let file = dir.path().join("settings");
        fs::write(&file, settings)?;
        let (name, mut command) = match software {
            Software::Knot => ("knotd", Command::new(program("knotd"))),
            Software::Bind => ("named", Command::new(program("named"))),
        };
        match software {
            Software::Knot => command.arg("--config").arg(file),
            Software::Bind => command.args(["-g", "-n", "1", "-c"]).arg(file),
        };
        let process = Process::spawn(name, &mut command, &dir.path().join("log"))
            .with_context(|| format!("start {name}; install the packages `knot` and `bind9`"))?;
        let server = Self { process, address, zone, dir };
        server.wait_until_ready().await?;
        Ok(server)
    }

    async fn wait_until_ready(&self) -> Result<()> {
        let until = Instant::now() + READY_WITHIN;
        loop {
            let up = Probe::connect_timeout(&self.address, POLL).is_ok();
            if up && !self.records(&self.zone, "SOA").await.unwrap_or_default().is_empty() {
                return Ok(());
            }
            self.process.check_running()?;
            if Instant::now() > until {
                bail!(
                    "the name server was not ready within {READY_WITHIN:?}:\n{}",
                    self.process.log_tail(15)
                );
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Where it answers, by UDP and TCP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The process itself, to pause it or read its log.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// A file with its TSIG key.
    pub fn key_file(&self) -> Result<PathBuf> {
        let file = self.dir.path().join("tsig");
        fs::write(&file, TSIG_KEY)?;
        Ok(file)
    }

    pub(crate) fn control_socket(&self) -> PathBuf {
        self.dir.path().join("knot.sock")
    }

    /// The records of a name and a type such as `A`, as text, sorted.
    pub async fn records(&self, name: &str, kind: &str) -> Result<Vec<String>> {
        let mut question = Message::query();
        question.metadata.recursion_desired = true;
        let name = Name::from_ascii(format!("{name}."))?;
        question.add_query(Query::query(name, kind.parse::<RecordType>()?));
        let bytes = question.to_vec()?;
        let mut stream = TcpStream::connect(self.address).await?;
        stream.write_all(&u16::try_from(bytes.len())?.to_be_bytes()).await?;
        stream.write_all(&bytes).await?;
        let mut answer = vec![0; usize::from(stream.read_u16().await?)];
        stream.read_exact(&mut answer).await?;
        let answer = Message::from_vec(&answer)?;
        let mut found: Vec<String> = answer.answers.iter().map(|record| record.data.to_string()).collect();
        found.sort();
        Ok(found)
    }
}

fn folder() -> Result<TempDir> {
    let dir = tempfile::Builder::new().prefix("moorage-dns-").tempdir()?;
    janitor::remove(dir.path())?;
    fs::create_dir(dir.path().join("db"))?;
    Ok(dir)
}

/// Packages install servers where only root looks for programs.
pub(crate) fn program(name: &str) -> PathBuf {
    let installed = Path::new("/usr/sbin").join(name);
    if installed.exists() { installed } else { name.into() }
}

fn knot(zones: &[ZoneFile], address: SocketAddr, dir: &Path) -> String {
    let dir = dir.display();
    let head = format!(
        r#"server:
    rundir: "{dir}"
    listen: "{}@{}"
    tcp-workers: 1
    udp-workers: 1
    background-workers: 1
database:
    storage: "{dir}/db"
log:
  - target: stderr
    any: info
key:
  - id: {TSIG_NAME}
    algorithm: hmac-sha256
    secret: {TSIG_KEY}
acl:
  - id: updates
    key: {TSIG_NAME}
    action: update
mod-stats:
  - id: types
    query-type: on
zone:
"#,
        address.ip(),
        address.port()
    );
    let zone = |(at, zone): (usize, &ZoneFile)| {
        format!(
            "  - domain: {}.\n    storage: \"{dir}\"\n    file: zone-{at}\n    acl: updates\n    module: mod-stats/types\n",
            zone.name
        )
    };
    head + &zones.iter().enumerate().map(zone).collect::<Vec<_>>().concat()
}

fn bind(zones: &[ZoneFile], address: SocketAddr, dir: &Path) -> String {
    let head = bind_options(address, address.port(), dir, "recursion no;");
    let zone = |(at, zone): (usize, &ZoneFile)| {
        format!("zone \"{}.\" {{ type primary; file \"zone-{at}\"; }};\n", zone.name)
    };
    head + &zones.iter().enumerate().map(zone).collect::<Vec<_>>().concat()
}

/// Pebble asks by TCP alone, several times for each proof: with BIND's queue of ten, hundreds of orders at once lose some
/// connections, and their proofs with them.
fn recursive(address: SocketAddr, port: u16, dir: &Path) -> String {
    let manner = "recursion yes; allow-recursion { any; }; dnssec-validation no; empty-zones-enable no;
    servfail-ttl 0; max-ncache-ttl 1; max-cache-ttl 1; tcp-clients 2000; tcp-listen-queue 1000;
    recursive-clients 5000;";
    bind_options(address, port, dir, manner) + "zone \".\" { type hint; file \"hints\"; };\n"
}

/// BIND listens only at addresses that an interface has, so not at all of 127.0.0.0/8. Others it asks at `port`.
fn bind_options(address: SocketAddr, port: u16, dir: &Path, manner: &str) -> String {
    format!(
        r#"options {{
    directory "{}";
    port {port};
    listen-on port {} {{ {}; }};
    listen-on-v6 {{ none; }};
    pid-file none;
    allow-query {{ any; }};
    {manner}
}};
controls {{ }};
"#,
        dir.display(),
        address.port(),
        address.ip()
    )
}
