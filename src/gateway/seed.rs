//! What lies on a Machine's root filesystem before its first process starts.
//!
//! Fly writes these files at each boot, never into the volume; the entry
//! script among them carries the owned keys over to it.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::config::{ABSENT, Dialect, ENTRIES_SINCE, owned_config};
use super::identity::identity_markdown;
use super::settings::GatewaySettings;

/// Version of what is laid on a Machine beside what people declare: the scripts and the owned configuration. It is raised
/// with each change that gateways have to take up, and is marked on each Machine. Nothing is restarted for it: it comes
/// with the next update that a Machine gets.
pub const VERSION: u32 = 1;

/// The program that the Machine's command runs, in front of the gateway.
pub const ENTRY_PATH: &str = "/opt/moorage/entry.mjs";

/// The script and the modules that it imports from its own folder.
const SCRIPTS: [(&str, &str); 3] = [
    (ENTRY_PATH, include_str!("entry.mjs")),
    ("/opt/moorage/files.mjs", include_str!("files.mjs")),
    ("/opt/moorage/merge.mjs", include_str!("merge.mjs")),
];

/// One file on the root filesystem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeedFile {
    /// Absolute path in the Machine.
    pub guest_path: &'static str,
    /// The content. Never holds a secret.
    pub bytes: Vec<u8>,
    /// Permission bits.
    pub mode: u32,
}

impl SeedFile {
    /// The content as the Machines API takes it in `files[].raw_value`.
    pub fn raw_value(&self) -> String {
        BASE64_STANDARD.encode(&self.bytes)
    }
}

/// Everything that a Machine's configuration carries for the gateway's sake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seed {
    /// For `config.files`, in a fixed order.
    pub files: Vec<SeedFile>,
    /// For `config.init.cmd`.
    pub command: Vec<String>,
    /// SHA-256 of files and command, in lower-case hexadecimal. It changes when,
    /// and only when, one of them does.
    pub hash: String,
}

/// The seed for one Runtime: its settings, and the command that its Blueprint starts the gateway with.
pub fn seed(settings: &GatewaySettings, gateway_command: &[String]) -> Seed {
    let files = files(settings);
    let command = entry_command(gateway_command);
    let hash = hash(&files, &command);
    Seed { files, command, hash }
}

fn files(settings: &GatewaySettings) -> Vec<SeedFile> {
    let file = |guest_path, bytes| SeedFile { guest_path, bytes, mode: 0o444 };
    let scripts = SCRIPTS.map(|(path, text)| file(path, text.as_bytes().to_vec()));
    let settings = file("/opt/moorage/settings.json", entry_settings(settings).to_string().into_bytes());
    scripts.into_iter().chain([settings]).collect()
}

/// What the entry script reads. It holds both dialects, and the script takes
/// the one for the version it finds in the image, so that a moving tag works.
fn entry_settings(settings: &GatewaySettings) -> Value {
    let identity = settings.persona.as_ref().map(|persona| {
        json!({
            "content": identity_markdown(persona),
            "name": persona.name(),
            "path": format!("{}/IDENTITY.md", settings.workspace.trim_end_matches('/')),
        })
    });
    json!({
        "absent": ABSENT,
        "entriesSince": ENTRIES_SINCE,
        "identity": identity,
        "owned": {
            "entries": owned_config(settings, Dialect::AgentEntries),
            "list": owned_config(settings, Dialect::AgentList),
        },
        "schema": 1,
    })
}

fn entry_command(gateway_command: &[String]) -> Vec<String> {
    let entry = ["node", ENTRY_PATH, "--"].map(str::to_owned);
    entry.iter().chain(gateway_command).cloned().collect()
}

fn hash(files: &[SeedFile], command: &[String]) -> String {
    let mut hasher = Sha256::new();
    for file in files {
        absorb(&mut hasher, file.guest_path.as_bytes());
        absorb(&mut hasher, &file.mode.to_be_bytes());
        absorb(&mut hasher, &file.bytes);
    }
    for word in command {
        absorb(&mut hasher, word.as_bytes());
    }
    format!("{:x}", hasher.finalize())
}

/// Each part goes in with its length, so that no two sequences of parts read the same.
fn absorb(hasher: &mut Sha256, part: &[u8]) {
    hasher.update((part.len() as u64).to_be_bytes());
    hasher.update(part);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::identity::Persona;
    use crate::gateway::settings::{Origin, ProxyRange};

    fn settings(name: &str) -> GatewaySettings {
        GatewaySettings {
            allowed_origins: vec![Origin::parse("https://a.fly.dev").unwrap()],
            trusted_proxies: vec![ProxyRange::parse("172.16.0.0/12").unwrap()],
            persona: Persona::named(name),
            model: None,
            workspace: "/data/workspace".to_owned(),
        }
    }

    fn command(port: &str) -> Vec<String> {
        let text = "node dist/index.js gateway --allow-unconfigured --port PORT --bind lan";
        text.split(' ').map(|word| word.replace("PORT", port)).collect()
    }

    #[test]
    fn the_entry_script_stands_before_the_gateway() {
        assert_eq!(
            seed(&settings("Ada"), &command("3000")).command.join(" "),
            "node /opt/moorage/entry.mjs -- node dist/index.js gateway --allow-unconfigured --port 3000 --bind lan"
        );
    }

    #[test]
    fn the_files_are_these() {
        let seed = seed(&settings("Ada"), &command("3000"));
        let paths: Vec<_> = seed.files.iter().map(|file| file.guest_path).collect();
        assert_eq!(
            paths,
            [
                "/opt/moorage/entry.mjs",
                "/opt/moorage/files.mjs",
                "/opt/moorage/merge.mjs",
                "/opt/moorage/settings.json"
            ]
        );
        let settings: Value = serde_json::from_slice(&seed.files[3].bytes).unwrap();
        assert_eq!(settings["identity"]["path"], "/data/workspace/IDENTITY.md");
        assert_eq!(settings["owned"]["list"]["agents"]["list"][0]["id"], "main");
        assert!(settings["owned"]["entries"]["agents"]["entries"]["main"].is_object());
        let decoded = BASE64_STANDARD.decode(seed.files[0].raw_value()).unwrap();
        assert_eq!(decoded, seed.files[0].bytes);
    }

    #[test]
    fn the_hash_changes_with_what_is_seeded_and_only_then() {
        let hash = |name, port| seed(&settings(name), &command(port)).hash;
        assert_eq!(hash("Ada", "3000"), hash("Ada", "3000"));
        assert_eq!(hash("Ada", "3000").len(), 64);
        assert_ne!(hash("Ada", "3000"), hash("Bea", "3000"));
        assert_ne!(hash("Ada", "3000"), hash("Ada", "3001"));
    }

    /// If gateways have to take the change up, raise [`VERSION`]: it is then told of on each Runtime. In either case put
    /// the new hash here. Machines that still carry the earlier kind of configuration mark (`config_mark::earlier`) would
    /// be restarted for it: either none is left by then, or what version 1 laid on them has to be kept for them.
    #[test]
    fn whoever_changes_what_is_laid_on_machines_thinks_of_its_version() {
        let settings = GatewaySettings { model: Some("gpt-5.5".into()), ..settings("Ada") };
        assert_eq!(
            (VERSION, seed(&settings, &command("3000")).hash.as_str()),
            (1, "e00be7e69ff85b00c71929e8563546801487f0d52db86822e889dba663f8a8db")
        );
    }

    #[test]
    fn without_a_persona_identity_is_left_alone() {
        let seed = seed(&settings(""), &command("3000"));
        let settings: Value = serde_json::from_slice(&seed.files[3].bytes).unwrap();
        assert_eq!(settings["identity"], Value::Null);
    }
}
