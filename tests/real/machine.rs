//! What stands behind a Runtime at Fly, through the Machines API and, where that ends, the simulator's own folder.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use fly_machines::types::{Exec, ExitEvent, Machine, Process};
use fly_machines::{Client, Limits, TokenSource};
use serde_json::Value;

use crate::customer::Customer;
use crate::platform::rig;

/// A CLI of the gateway's takes 3 s when it is quiet.
const COMMAND_DEADLINE: Duration = Duration::from_mins(1);

/// A Runtime's one Machine.
pub struct Host {
    /// The Machines API.
    pub fly: Client,
    /// The app.
    pub app: String,
    /// The Machine's id.
    pub id: String,
    /// The volume's id.
    pub volume: String,
}

/// The app that a Runtime's status names.
pub fn app(runtime: &Value) -> Result<String> {
    external(runtime, "app")
}

fn external(runtime: &Value, field: &str) -> Result<String> {
    let found = runtime["status"]["external"][field].as_str();
    found.map(str::to_owned).with_context(|| format!("no {field} in {:#}", runtime["status"]))
}

impl Host {
    /// The Machine that the Runtime's status names.
    pub async fn of(customer: &Customer) -> Result<Self> {
        let runtime = customer.runtime().await?;
        let fly = Client::builder(TokenSource::fixed("FlyV1 fm2_testbed"))
            .base_url(rig().await.fly.api_url())
            .limits(Limits::off())
            .build()?;
        let id = external(&runtime, "machineID")?;
        Ok(Self { fly, app: app(&runtime)?, id, volume: external(&runtime, "volumeID")? })
    }

    /// The Machine as Fly shows it.
    pub async fn machine(&self) -> Result<Machine> {
        Ok(self.fly.machines(&self.app).get(&self.id).await?)
    }

    /// Its processes.
    pub async fn processes(&self) -> Result<Vec<Process>> {
        Ok(self.fly.machines(&self.app).processes(&self.id).await?)
    }

    /// What a command in it prints; it must succeed.
    pub async fn exec(&self, command: &[&str]) -> Result<String> {
        let exec = Exec::new(command.iter().copied()).timeout(COMMAND_DEADLINE);
        let answer = self.fly.machines(&self.app).exec(&self.id, &exec).await?;
        ensure!(answer.succeeded(), "{command:?} ended with {}: {}", answer.exit_code, answer.stderr);
        Ok(answer.stdout)
    }

    /// A file in it.
    pub async fn read(&self, path: &str) -> Result<String> {
        self.exec(&["cat", path]).await
    }

    /// The gateway's configuration on the volume.
    pub async fn config(&self) -> Result<Value> {
        serde_json::from_str(&self.read("/data/openclaw.json").await?).context("openclaw.json")
    }

    /// How its program ended last.
    pub async fn last_exit(&self) -> Result<ExitEvent> {
        let machine = self.machine().await?;
        let last = machine.events.iter().find_map(|event| event.exit().cloned());
        last.with_context(|| format!("no exit among {:?}", machine.events))
    }

    /// Everything that was written to its console.
    pub async fn console(&self) -> Result<String> {
        let url = format!("{}/_sim/machines/{}/console", rig().await.fly.api_url(), self.id);
        Ok(reqwest::get(url).await?.error_for_status()?.text().await?)
    }

    /// What its console showed last and how its program ended, for whoever reads why a test failed.
    pub async fn last_words(&self) -> Result<String> {
        let console = self.console().await?;
        let lines: Vec<String> = console.lines().map(|line| line.chars().take(200).collect()).collect();
        let last = lines[lines.len().saturating_sub(14)..].join("\n");
        let exit =
            self.last_exit().await.map_or_else(|_| "it hasn't ended".to_owned(), |exit| format!("{exit:?}"));
        Ok(format!("{last}\n{exit}"))
    }

    /// The volume's folder, for what a person would do to the volume of a Machine that is off.
    pub async fn volume_folder(&self) -> PathBuf {
        rig().await.fly.dir().join("state/volumes").join(&self.volume)
    }
}
