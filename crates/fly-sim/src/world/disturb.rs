//! Things that happen to Machines without a call: crashes, migrations.

use serde::Deserialize;
use serde_json::{Value, json};

use super::boot::Boot;
use super::destroy::Destroy;
use super::halt::StopTerms;
use super::state::{Key, State};
use super::update::Update;
use crate::error::{ApiError, ApiResult};
use crate::model::config::MachineConfig;
use crate::model::event::{Exit, Source};
use crate::model::machine::{After, MachineState};
use crate::model::volume::Hold;

/// Something that happens once, at once.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum Disturbance {
    /// A Machine's program ends.
    MachineExit {
        /// The Machine.
        machine: String,
        /// How.
        #[serde(default)]
        exit: Exit,
    },
    /// Fly moves a Machine to another host: new address, new volume.
    Migrate {
        /// The Machine.
        machine: String,
    },
    /// Someone else stops a Machine.
    MachineStop {
        /// The Machine.
        machine: String,
    },
    /// Someone else starts a Machine.
    MachineStart {
        /// The Machine.
        machine: String,
    },
    /// Someone else gives a Machine another configuration: these fields in the place of its own.
    MachineUpdate {
        /// The Machine.
        machine: String,
        /// The fields.
        config: serde_json::Map<String, Value>,
    },
    /// Someone else destroys a Machine.
    MachineDestroy {
        /// The Machine.
        machine: String,
    },
    /// A Machine's program writes on its volume; this is what is on it from then on.
    VolumeWrite {
        /// The Machine.
        machine: String,
        /// What it writes.
        content: String,
    },
    /// Someone else destroys a volume, bound or not.
    VolumeDestroy {
        /// The app.
        app: String,
        /// The volume.
        volume: String,
    },
    /// Someone else deletes an app.
    AppDelete {
        /// The app.
        app: String,
    },
    /// Someone else removes a hostname, or only one of its certificates.
    CertificateDelete {
        /// The app.
        app: String,
        /// The hostname.
        hostname: String,
        /// Only the certificate from here.
        #[serde(default)]
        only: Option<CertificateSource>,
    },
}

/// Where a certificate comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CertificateSource {
    /// Fly had it issued.
    Fly,
    /// The customer brought it.
    Custom,
}

impl State {
    /// Lets it happen.
    pub fn disturb(&mut self, what: Disturbance) -> ApiResult<()> {
        match what {
            Disturbance::MachineExit { machine, exit } => {
                self.key_of(&machine).map(|key| self.exited(&key, exit))
            }
            Disturbance::Migrate { machine } => self.key_of(&machine).and_then(|key| self.migrate(&key)),
            Disturbance::MachineStop { machine } => {
                let key = self.key_of(&machine)?;
                self.stop(&key, StopTerms::default(), Source::User)
            }
            Disturbance::MachineStart { machine } => {
                let key = self.key_of(&machine)?;
                self.start(&key).map(|_| ())
            }
            Disturbance::MachineUpdate { machine, config } => {
                self.key_of(&machine).and_then(|key| self.meddle(&key, config))
            }
            Disturbance::MachineDestroy { machine } => {
                let key = self.key_of(&machine)?;
                self.destroy(&key, Destroy::Force)
            }
            Disturbance::VolumeWrite { machine, content } => {
                self.key_of(&machine).and_then(|key| self.write(&key, content))
            }
            Disturbance::VolumeDestroy { app, volume } => {
                self.volume_mut(&app, &volume)?.hold = Hold::Free;
                self.delete_volume(&app, &volume)
            }
            Disturbance::AppDelete { app } => self.delete_app(&app, Destroy::Force),
            Disturbance::CertificateDelete { app, hostname, only } => match only {
                None => self.remove_hostname(&app, &hostname),
                Some(CertificateSource::Fly) => self.remove_issued(&app, &hostname),
                Some(CertificateSource::Custom) => self.remove_custom(&app, &hostname),
            },
        }
    }

    fn meddle(&mut self, key: &Key, fields: serde_json::Map<String, Value>) -> ApiResult<()> {
        let machine = self.machine(key).ok_or_else(ApiError::no_machine)?;
        let mut config = machine.config.raw().value();
        for (field, value) in fields {
            config[field] = value;
        }
        let config = MachineConfig::from_client(config)?;
        let (after, current_version) = (After::Start, String::new());
        self.update_machine(key, Update { config, current_version, after, min_secrets_version: 0 })
    }

    /// Only what runs writes.
    fn write(&mut self, key: &Key, content: String) -> ApiResult<()> {
        let machine = self.machine(key).filter(|machine| machine.state == MachineState::Started);
        let machine = machine.ok_or_else(|| ApiError::precondition("machine not running"))?;
        let mount = machine.config.parts().mounts.first().map(|mount| mount.volume.clone());
        let mount = mount.ok_or_else(|| ApiError::invalid("it mounts no volume"))?;
        self.volume_mut(&key.app, &mount)?.content = content;
        Ok(())
    }

    /// Where a Machine is.
    pub fn key_of(&self, machine: &str) -> ApiResult<Key> {
        let app = self.machine_apps.get(machine).ok_or_else(ApiError::no_machine)?;
        Ok(Key { app: app.clone(), id: machine.to_owned() })
    }

    /// Moves a Machine to another host. It keeps its id; its volume and address are new.
    pub fn migrate(&mut self, key: &Key) -> ApiResult<()> {
        let machine =
            self.machine(key).filter(|machine| machine.is_active()).ok_or_else(ApiError::no_machine)?;
        let (region, from, state) = (machine.region.clone(), machine.host.clone(), machine.state);
        let volume = machine.config.parts().mounts.first().map(|mount| mount.volume.clone());
        let network = self.app(&key.app)?.network_number;
        let host = self.free_host(&region, std::slice::from_ref(&from));
        let host = host.ok_or_else(|| ApiError::unavailable("no other host has room"))?;
        let private_ip = self.ids.private_ip(network);
        let moved = volume.map(|volume| self.move_volume(key, &volume, &host)).transpose()?;
        let Some(machine) = self.machine_mut(key) else { return Ok(()) };
        machine.host = host;
        machine.private_ip = private_ip;
        if let Some(volume) = &moved {
            machine.config = machine.config.with_volume(volume);
        }
        self.effect("machine.migrate", &key.app, &key.id, json!({ "volume": moved }));
        self.event(key, "launch", "created", Source::Flyd, None);
        self.kill_run(key);
        match state {
            MachineState::Started | MachineState::Starting => self.boot(key, Boot::Cold),
            MachineState::Suspended => self.begin(key, MachineState::Stopped),
            _ => self.touch(key),
        }
        Ok(())
    }

    fn move_volume(&mut self, key: &Key, id: &str, host: &str) -> ApiResult<String> {
        let fresh = format!("vol_{}", self.ids.alphanumeric(16));
        let now = self.now;
        let old = self.volume_mut(&key.app, id)?;
        let mut volume = old.clone();
        old.hold = Hold::Free;
        volume.id.clone_from(&fresh);
        host.clone_into(&mut volume.host);
        volume.snapshots.clear();
        volume.updated_at = now;
        volume.hold = Hold::Bound(key.id.clone());
        self.driver.copy_volume(id, &fresh);
        self.app_mut(&key.app)?.volumes.insert(fresh.clone(), volume);
        self.back_up_daily(&key.app, &fresh);
        self.effect("volume.create", &key.app, &fresh, json!({ "migratedFrom": id }));
        self.delete_volume(&key.app, id)?;
        self.effect("volume.migrated", &key.app, id, Value::Null);
        Ok(fresh)
    }
}
