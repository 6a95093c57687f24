//! A headless Chromium that finds Fly's hostnames at the simulator's edge, driven through its `DevTools` pipe.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rustls::pki_types::CertificateDer;
use rustls::server::ParsedCertificate;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use testbed::eventually;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::platform::rig;

/// A browser's first page takes 2 s when it is quiet.
const PATIENCE: Duration = Duration::from_mins(1);

/// Chromium speaks on descriptors 3 and 4; a shell puts our pipes there.
const ON_PIPES: &str = r#"exec "$@" 3<&0 4>&1 1>&2"#;

const FLAGS: [&str; 11] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--window-size=1280,900",
    "--remote-debugging-pipe",
];

/// A browser with one page.
pub struct Chromium {
    pipe: Mutex<Pipe>,
    child: Child,
    session: String,
    _profile: TempDir,
}

struct Pipe {
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    calls: u64,
}

impl Chromium {
    /// Starts one with a new profile, on this page.
    ///
    /// # Errors
    /// If there is no Chromium (Debian's package `chromium`), or it doesn't start.
    pub async fn open(url: &str) -> Result<Self> {
        let profile = tempfile::Builder::new().prefix("moorage-chromium-").tempdir()?;
        let mut child = command(url, profile.path()).await?.spawn().context("start Chromium by `sh`")?;
        let input = child.stdin.take().context("no pipe")?;
        let output = BufReader::new(child.stdout.take().context("no pipe")?);
        let mut pipe = Pipe { input, output, calls: 0 };
        let target = pipe.call(None, "Target.createTarget", json!({"url": url})).await;
        let target = target.context("Chromium doesn't answer: is Debian's package `chromium` installed?")?;
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let session = pipe.call(None, "Target.attachToTarget", attach).await?;
        let session = session["sessionId"].as_str().context("no session")?.to_owned();
        Ok(Self { pipe: Mutex::new(pipe), child, session, _profile: profile })
    }

    async fn call(&self, method: &str, params: Value) -> Result<Value> {
        self.pipe.lock().await.call(Some(&self.session), method, params).await
    }

    /// Evaluates an expression in the page until its text is as wanted.
    pub async fn until(&mut self, expression: &str, wanted: impl Fn(&str) -> bool) -> Result<String> {
        let found = eventually("the page", PATIENCE, async || {
            let params = json!({"expression": expression, "returnByValue": true});
            let answer = self.call("Runtime.evaluate", params).await?;
            let text = answer["result"]["value"].as_str().unwrap_or_default().to_owned();
            ensure!(wanted(&text), "it shows: {text}");
            Ok(text)
        })
        .await;
        if found.is_err() {
            self.screenshot("control-ui-failed.png").await?;
        }
        found
    }

    /// Saves what the page looks like under `target/`.
    pub async fn screenshot(&self, name: &str) -> Result<()> {
        let image = self.call("Page.captureScreenshot", json!({"format": "png"})).await?;
        let bytes = BASE64_STANDARD.decode(image["data"].as_str().context("no image")?)?;
        let folder = testbed::repository().join("target/screenshots");
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join(name), bytes).context("save a screenshot")
    }

    /// Ends it.
    pub async fn close(mut self) -> Result<()> {
        self.pipe.lock().await.call(None, "Browser.close", json!({})).await?;
        timeout(PATIENCE, self.child.wait()).await.context("Chromium goes on")??;
        Ok(())
    }
}

impl Pipe {
    /// One call of the protocol: JSON that ends with a zero byte, answered under the same id.
    async fn call(&mut self, session: Option<&str>, method: &str, params: Value) -> Result<Value> {
        self.calls += 1;
        let mut message = json!({"id": self.calls, "method": method, "params": params});
        if let Some(session) = session {
            message["sessionId"] = json!(session);
        }
        self.input.write_all(format!("{message}\0").as_bytes()).await?;
        timeout(PATIENCE, self.answer()).await.with_context(|| format!("{method}: no answer"))?
    }

    async fn answer(&mut self) -> Result<Value> {
        loop {
            let mut bytes = Vec::new();
            self.output.read_until(0, &mut bytes).await?;
            ensure!(bytes.pop() == Some(0), "Chromium has ended");
            let mut message: Value = serde_json::from_slice(&bytes)?;
            if message["id"] == self.calls {
                ensure!(message["error"].is_null(), "{}", message["error"]);
                return Ok(message["result"].take());
            }
        }
    }
}

async fn command(url: &str, profile: &std::path::Path) -> Result<Command> {
    let edge = &rig().await.fly;
    let log = std::fs::File::create(profile.join("chromium.log"))?;
    let mut command = Command::new("sh");
    command.args(["-c", ON_PIPES, "sh"]).arg(program()).args(FLAGS);
    command.arg(format!("--user-data-dir={}", profile.join("profile").display()));
    // The page's origin stays the hostname without a port, as at Fly.
    command.arg(format!("--host-resolver-rules=MAP *.fly.dev:443 {}", edge.edge()));
    command.arg(format!("--ignore-certificate-errors-spki-list={}", public_key_hash(url).await?));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
    Ok(command)
}

/// `chromium`, or what `CHROMIUM` names.
fn program() -> PathBuf {
    std::env::var_os("CHROMIUM").map_or_else(|| PathBuf::from("chromium"), PathBuf::from)
}

/// The one certificate that Chromium is to take without an authority: the hostname's, checked here against the edge's
/// authority.
async fn public_key_hash(url: &str) -> Result<String> {
    let edge = &rig().await.fly;
    let hostname = reqwest::Url::parse(url)?.host_str().context("no hostname")?.to_owned();
    let authority = reqwest::Certificate::from_pem(&std::fs::read(edge.edge_ca())?)?;
    let http = reqwest::Client::builder()
        .tls_certs_only([authority])
        .tls_info(true)
        .resolve(&hostname, edge.edge().parse()?)
        .build()?;
    let answer = http.get(edge.edge_url(&hostname, "/healthz")).send().await?;
    let info = answer.extensions().get::<reqwest::tls::TlsInfo>().context("no TLS")?;
    let der = CertificateDer::from(info.peer_certificate().context("no certificate")?);
    let key = ParsedCertificate::try_from(&der)?.subject_public_key_info();
    Ok(BASE64_STANDARD.encode(Sha256::digest(&key)))
}
