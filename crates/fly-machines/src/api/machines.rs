//! Machines.

use std::time::Duration;

use super::{MOST_PAGES, too_many_pages};
use crate::client::Client;
use crate::error::{Error, ErrorClass, Result};
use crate::limit::RateClass;
use crate::path::Path;
use crate::transport::Call;
use crate::types::{
    CreateMachine, Exec, ExecAnswer, LeaseNonce, ListMachines, Machine, MachineDeletion, MachineEvent,
    MachineState, MachineVersion, Process, RestartMachine, Started, StopMachine, UpdateMachine, WaitFor,
    WaitOutcome, Waited,
};

/// How much longer than the API a call may take that waits there.
const MARGIN: Duration = Duration::from_secs(10);

/// Calls about the Machines of an app.
#[derive(Clone, Copy, Debug)]
pub struct Machines<'a> {
    client: &'a Client,
    app: &'a str,
    nonce: Option<&'a LeaseNonce>,
}

impl<'a> Machines<'a> {
    pub(crate) fn new(client: &'a Client, app: &'a str) -> Self {
        Self { client, app, nonce: None }
    }

    /// Sends this lease's nonce along with each change.
    #[must_use]
    pub fn with_lease(mut self, nonce: &'a LeaseNonce) -> Self {
        self.nonce = Some(nonce);
        self
    }

    fn root(&self) -> Path {
        Path::new("apps").id(self.app).then("machines")
    }

    fn action<'b>(&self, operation: &'static str, id: &'b str, action: &'static str) -> Call<'b>
    where
        'a: 'b,
    {
        Call::post(operation, self.root().id(id).then(action)).counted_for(id).nonce(self.nonce)
    }

    /// Lists the app's Machines, all pages. The list may lag behind [`Machines::get`] by some seconds.
    pub async fn list(&self, filter: &ListMachines) -> Result<Vec<Machine>> {
        let (mut machines, mut cursor) = (Vec::new(), None::<String>);
        for _ in 0..MOST_PAGES {
            let call = self.list_call(filter).query_opt("cursor", cursor.take());
            let answer = self.client.transport().send(&call).await?;
            machines.extend(answer.decode::<Option<Vec<Machine>>>(&call)?.unwrap_or_default());
            cursor = answer.next_cursor;
            if cursor.is_none() {
                return Ok(machines);
            }
        }
        Err(too_many_pages("machines.list"))
    }

    fn list_call(&self, filter: &ListMachines) -> Call<'a> {
        let states: Vec<&str> = filter.states.iter().map(MachineState::as_str).collect();
        let states = (!states.is_empty()).then(|| states.join(","));
        let mut call = Call::get("machines.list", self.root())
            .counted_for(self.app)
            .query_if("include_deleted", filter.include_deleted)
            .query_if("summary", filter.summary)
            .query_opt("region", filter.region.as_deref())
            .query_opt("state", states);
        for (key, value) in &filter.metadata {
            call = call.query(format!("metadata.{key}"), value);
        }
        call
    }

    /// Reads a Machine.
    ///
    /// # Errors
    /// `NotFound` if it is gone, or not known here yet; a destroyed one may also be read for a while.
    pub async fn get(&self, id: &str) -> Result<Machine> {
        let call = Call::get("machines.get", self.root().id(id)).counted_for(id).rate(RateClass::MachineRead);
        self.client.transport().json(call).await
    }

    /// Creates a Machine. It answers long before the Machine runs.
    ///
    /// # Errors
    /// `NameTaken` with [`Error::existing_machine`]; `Capacity`; `Ambiguous`: list by name before repeating it.
    pub async fn create(&self, machine: &CreateMachine) -> Result<Machine> {
        let call = Call::post("machines.create", self.root()).counted_for(self.app).body(machine);
        self.client.transport().json(call).await
    }

    /// Replaces a Machine's configuration, which restarts it if it runs.
    ///
    /// # Errors
    /// `Conflict` if the version differs or another update is under way.
    pub async fn update(&self, id: &str, update: &UpdateMachine) -> Result<Machine> {
        let call =
            Call::post("machines.update", self.root().id(id)).counted_for(id).nonce(self.nonce).body(update);
        self.client.transport().json(call).await
    }

    /// Destroys a Machine; the API goes on after it has answered.
    ///
    /// # Errors
    /// `NotFound` if it is gone already, `WrongState` if it runs and is not to be killed.
    pub async fn delete(&self, id: &str, deletion: MachineDeletion) -> Result<()> {
        let call = Call::delete("machines.delete", self.root().id(id))
            .counted_for(id)
            .nonce(self.nonce)
            .query_if("force", deletion == MachineDeletion::Force);
        self.client.transport().done(call).await
    }

    /// Starts a Machine, or resumes it.
    ///
    /// # Errors
    /// `Settling` for some seconds after a create, update or stop: repeat it.
    pub async fn start(&self, id: &str) -> Result<Started> {
        let call = self.action("machines.start", id, "start");
        self.client.transport().json(call).await
    }

    /// Asks a Machine to stop; it answers before the Machine has.
    pub async fn stop(&self, id: &str, stop: &StopMachine) -> Result<()> {
        self.client.transport().done(self.action("machines.stop", id, "stop").body(stop)).await
    }

    /// Asks a Machine to save its memory and stop.
    pub async fn suspend(&self, id: &str) -> Result<()> {
        self.client.transport().done(self.action("machines.suspend", id, "suspend")).await
    }

    /// Restarts a Machine.
    pub async fn restart(&self, id: &str, restart: &RestartMachine) -> Result<()> {
        let call = self
            .action("machines.restart", id, "restart")
            .query_opt("signal", restart.signal.as_deref())
            .query_opt("timeout", restart.timeout.map(|timeout| timeout.to_string()));
        self.client.transport().done(call).await
    }

    /// Sends a signal, such as `SIGHUP`, to a Machine's program.
    pub async fn signal(&self, id: &str, signal: &str) -> Result<()> {
        let body = serde_json::json!({ "signal": signal });
        self.client.transport().done(self.action("machines.signal", id, "signal").body(&body)).await
    }

    /// Takes a Machine out of the proxy's routing.
    pub async fn cordon(&self, id: &str) -> Result<()> {
        self.client.transport().done(self.action("machines.cordon", id, "cordon")).await
    }

    /// Puts a Machine back into the proxy's routing.
    pub async fn uncordon(&self, id: &str) -> Result<()> {
        self.client.transport().done(self.action("machines.uncordon", id, "uncordon")).await
    }

    /// Waits at the API until a Machine is in a state: loop short waits against a deadline of your own.
    ///
    /// A Machine that doesn't exist counts as reached if `destroyed` was waited for.
    ///
    /// # Errors
    /// `Invalid` or `Conflict` when the state can't be reached from here.
    pub async fn wait(&self, id: &str, wait: &WaitFor) -> Result<WaitOutcome> {
        let mut call = Call::get("machines.wait", self.root().id(id).then("wait"))
            .counted_for(id)
            .deadline(wait.timeout + MARGIN)
            .query("timeout", wait.timeout.as_secs().to_string())
            .query_opt("version", wait.version.as_deref());
        for state in &wait.states {
            call = call.query("state", state.as_str());
        }
        match self.client.transport().json::<Waited>(call).await {
            Ok(waited) => Ok(WaitOutcome::Reached(waited)),
            Err(error) => wait_ended(wait, error),
        }
    }

    /// Runs a command in a Machine. An answer says nothing of success: see [`ExecAnswer::succeeded`].
    ///
    /// # Errors
    /// `WrongState` if the Machine isn't running; `Ambiguous` if it took too long, and it may go on running.
    pub async fn exec(&self, id: &str, exec: &Exec) -> Result<ExecAnswer> {
        let call = Call::post("machines.exec", self.root().id(id).then("exec"))
            .counted_for(id)
            .deadline(Duration::from_secs(exec.timeout.min(3600)) + MARGIN)
            .body(exec);
        self.client.transport().json(call).await
    }

    /// Lists a Machine's processes.
    pub async fn processes(&self, id: &str) -> Result<Vec<Process>> {
        let call = Call::get("machines.ps", self.root().id(id).then("ps")).counted_for(id);
        Ok(self.client.transport().json::<Option<Vec<Process>>>(call).await?.unwrap_or_default())
    }

    /// Lists a Machine's last events, newest first; at most 50.
    pub async fn events(&self, id: &str, limit: u32) -> Result<Vec<MachineEvent>> {
        let call = Call::get("machines.events", self.root().id(id).then("events"))
            .counted_for(id)
            .query("limit", limit.clamp(1, 50).to_string());
        Ok(self.client.transport().json::<Option<Vec<MachineEvent>>>(call).await?.unwrap_or_default())
    }

    /// Lists the versions of a Machine's configuration.
    pub async fn versions(&self, id: &str) -> Result<Vec<MachineVersion>> {
        let call = Call::get("machines.versions", self.root().id(id).then("versions")).counted_for(id);
        Ok(self.client.transport().json::<Option<Vec<MachineVersion>>>(call).await?.unwrap_or_default())
    }
}

fn wait_ended(wait: &WaitFor, error: Error) -> Result<WaitOutcome> {
    let destroyed = wait.states.contains(&MachineState::Destroyed);
    match (error.class(), error.status()) {
        // While one version replaces another, the state may yet be reached.
        (_, Some(408)) | (ErrorClass::Settling, _) => Ok(WaitOutcome::NotYet),
        (ErrorClass::NotFound, _) if destroyed => {
            Ok(WaitOutcome::Reached(Waited { state: MachineState::Destroyed, ..Waited::default() }))
        }
        _ => Err(error),
    }
}
