//! What holds of every gateway that runs, whatever its version.

use anyhow::{Context, Result, ensure};
use http::StatusCode;
use moorage::gateway::health::{Probe, Verdict, judge};
use serde_json::{Value, json};
use testbed::eventually;

use crate::customer::{Customer, PATIENCE};
use crate::machine::Host;
use crate::platform::rig;

/// The command that starts the gateway, as upstream documents it for Fly.
const COMMAND: &str = "node dist/index.js gateway --allow-unconfigured --port 3000 --bind lan";

/// A visitor of the Runtime's URL, with or without a token.
pub struct Visitor {
    http: reqwest::Client,
    hostname: String,
}

impl Visitor {
    pub async fn of(customer: &Customer) -> Result<Self> {
        let runtime = customer.runtime().await?;
        let url = runtime["status"]["url"].as_str().context("no URL")?;
        let hostname = url.strip_prefix("https://").context("not https")?.to_owned();
        Ok(Self { http: rig().await.fly.browser(&hostname)?, hostname })
    }

    async fn url(&self, path: &str) -> String {
        rig().await.fly.edge_url(&self.hostname, path)
    }

    /// What its health endpoint says.
    pub async fn health(&self) -> Result<Verdict> {
        let answer = self.http.get(self.url(Probe::Health.path()).await).send().await?;
        let status = answer.status().as_u16();
        Ok(judge(Probe::Health, status, &answer.bytes().await?))
    }

    /// Calls one of the gateway's tools, which takes its token and no paired device.
    pub async fn call(&self, token: Option<&str>) -> Result<(StatusCode, Value)> {
        let body = json!({"tool": "sessions_list", "args": {}});
        let request = self.http.post(self.url("/tools/invoke").await).json(&body);
        let request = token.into_iter().fold(request, reqwest::RequestBuilder::bearer_auth);
        let answer = request.send().await?;
        let status = answer.status();
        Ok((status, answer.json().await?))
    }
}

/// It answers to anybody that it lives, and to the token's holder only what there is.
pub async fn answers(customer: &Customer) -> Result<()> {
    let visitor = Visitor::of(customer).await?;
    // One that sleeps is woken by this, and on a busy machine the edge doesn't wait for as long as that takes.
    eventually("the gateway's health", PATIENCE, async || {
        let verdict = visitor.health().await?;
        ensure!(verdict == Verdict::Healthy, "{verdict:?}");
        Ok(())
    })
    .await?;
    let token = customer.token().await?;
    // Its health endpoint answers some seconds before its tools do.
    eventually("a call with the token", PATIENCE, async || {
        let (status, body) = visitor.call(Some(&token)).await?;
        ensure!(status == StatusCode::OK && body["ok"] == true, "{status} {body}");
        Ok(())
    })
    .await?;
    for wrong in [None, Some("wrong")] {
        let (status, body) = visitor.call(wrong).await?;
        ensure!(status == StatusCode::UNAUTHORIZED && body["ok"] != true, "{wrong:?}: {status} {body}");
    }
    Ok(())
}

/// The Machine's configuration ends with the documented command, and that is what runs and listens.
pub async fn runs_the_documented_command(host: &Host) -> Result<()> {
    let config = host.machine().await?.config.context("a Machine without configuration")?;
    let declared = config.init.map(|init| init.cmd.join(" ")).unwrap_or_default();
    ensure!(declared.ends_with(COMMAND), "{declared}");
    let processes = host.processes().await?;
    let gateway = processes.iter().find(|process| !process.listen_sockets.is_empty());
    let gateway = gateway.with_context(|| format!("nobody listens: {processes:?}"))?;
    assert!(gateway.listen_sockets.iter().any(|socket| socket.address == "0.0.0.0:3000"), "{gateway:?}");
    // Versions that name their own process do so in place of their command line.
    ensure!(gateway.command == COMMAND || gateway.command.starts_with("openclaw"), "{}", gateway.command);
    Ok(())
}

/// What was merged was on the volume before the gateway started.
pub async fn was_configured_first(host: &Host) -> Result<()> {
    let processes = host.processes().await?;
    let gateway =
        processes.iter().find(|process| !process.listen_sockets.is_empty()).context("no gateway")?;
    // Times in seconds since the epoch: the record is written last of all; /proc counts from the boot, in ticks.
    let script = "stat -c %.3Y /data/.moorage/owned.json; cut -d. -f1,2 /proc/uptime | cut -d' ' -f1; \
                  date +%s.%N; getconf CLK_TCK; cut -d')' -f2 /proc/$0/stat | cut -d' ' -f21";
    let output = host.exec(&["sh", "-c", script, &gateway.pid.to_string()]).await?;
    let numbers = output.lines().map(str::parse::<f64>).collect::<Result<Vec<_>, _>>()?;
    let [written, uptime, now, ticks_per_second, ticks] = numbers[..] else {
        anyhow::bail!("unexpected output: {output}")
    };
    let started = now - uptime + ticks / ticks_per_second;
    // Both clocks are read to a hundredth of a second, and a gateway takes longer than that to read a file.
    ensure!(written < started + 0.05, "written at {written}, started at {started}");
    Ok(())
}

/// The keys that Moorage owns, which both dialects spell alike.
pub async fn is_configured_as_declared(customer: &Customer, host: &Host, persona: &str) -> Result<()> {
    let (config, runtime) = (host.config().await?, customer.runtime().await?);
    let gateway = &config["gateway"];
    assert_eq!(gateway["controlUi"]["allowedOrigins"], json!([runtime["status"]["url"]]));
    assert_eq!(gateway["auth"], json!({"mode": "token"}), "the token stays out of the file");
    let trusted = gateway["trustedProxies"].as_array().context("no trusted proxies")?;
    let addresses = runtime["status"]["external"]["addresses"].as_array().context("no addresses")?;
    assert_eq!(addresses.len(), 2, "{addresses:?}");
    assert!(addresses.iter().all(|address| trusted.contains(address)), "{trusted:?} lacks {addresses:?}");
    assert!(trusted.contains(&json!("172.16.0.0/12")), "{trusted:?}");
    let defaults = &config["agents"]["defaults"];
    assert_eq!(defaults["model"]["primary"], "anthropic/claude-sonnet-4-20250514");
    assert_eq!(defaults["workspace"], "/data/workspace");
    let identity = host.read("/data/workspace/IDENTITY.md").await?;
    assert_eq!(identity, format!("# IDENTITY.md - Who Am I?\n\n- **Name:** {persona}\n"));
    Ok(())
}

/// Its Machine stopped because it was asked to, in its own time.
pub async fn ended_gracefully(host: &Host) -> Result<()> {
    let exit = host.last_exit().await?;
    ensure!(exit.requested_stop && !exit.oom_killed, "{exit:?}");
    assert_eq!((exit.exit_code, exit.guest_signal.unwrap_or(-1)), (Some(0), -1), "{exit:?}");
    Ok(())
}
