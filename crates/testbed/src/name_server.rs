//! An authoritative name server with one zone, which takes dynamic updates: Knot DNS, from the system's packages.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream as Probe};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use hickory_proto::op::{Message, Query};
use hickory_proto::rr::{Name, RecordType};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::janitor;
use crate::process::{POLL, Process};

/// Name of the key that updates are signed with, by hmac-sha256.
pub const TSIG_NAME: &str = "moorage";
/// That key, in base64. It guards nothing but a zone on loopback.
pub const TSIG_KEY: &str = "dGVzdGJlZCB0c2lnIGtleSBmb3IgbG9vcGJhY2sgb25seSE=";

const READY_WITHIN: Duration = Duration::from_secs(20);

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
        let dir = tempfile::Builder::new().prefix("moorage-dns-").tempdir()?;
        janitor::remove(dir.path())?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        fs::create_dir(dir.path().join("db"))?;
        fs::write(dir.path().join("zone"), zone_file(zone))?;
        fs::write(dir.path().join("knot.conf"), settings(zone, address, dir.path()))?;
        let program = if Path::new("/usr/sbin/knotd").exists() { "/usr/sbin/knotd" } else { "knotd" };
        let mut command = Command::new(program);
        command.arg("--config").arg(dir.path().join("knot.conf"));
        let process = Process::spawn("knotd", &mut command, &dir.path().join("knot.log"))
            .context("start knotd; install the package `knot`")?;
        let server = Self { process, address, zone: zone.to_owned(), dir };
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
                bail!("knotd was not ready within {READY_WITHIN:?}:\n{}", self.process.log_tail(15));
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
    pub fn key_file(&self) -> Result<std::path::PathBuf> {
        let file = self.dir.path().join("tsig");
        fs::write(&file, TSIG_KEY)?;
        Ok(file)
    }

    /// The records of a name and a type such as `A`, as text, sorted.
    pub async fn records(&self, name: &str, kind: &str) -> Result<Vec<String>> {
        let mut question = Message::query();
        question.add_query(Query::query(Name::from_ascii(format!("{name}."))?, kind.parse::<RecordType>()?));
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

fn zone_file(zone: &str) -> String {
    format!(
        "$ORIGIN {zone}.\n$TTL 60\n@ SOA ns1 admin 1 3600 600 86400 5\n@ NS ns1\nns1 A 127.0.0.1\nwww A 192.0.2.80\n"
    )
}

fn settings(zone: &str, address: SocketAddr, dir: &Path) -> String {
    let dir = dir.display();
    format!(
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
zone:
  - domain: {zone}
    storage: "{dir}"
    file: zone
    acl: updates
"#,
        address.ip(),
        address.port()
    )
}

/// A port that was free a moment ago.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("find a free port")?;
    Ok(listener.local_addr()?.port())
}
