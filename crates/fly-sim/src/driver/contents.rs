//! What a Machine holds when its program starts: its environment and its files.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::Launch;

/// A file on the root file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeededFile {
    /// Its absolute path.
    pub path: String,
    /// Its content.
    pub bytes: Vec<u8>,
    /// Its permission bits.
    pub mode: u32,
}

/// Permission bits where the configuration gives none.
const MODE: u32 = 0o644;

/// The environment that Fly gives: its own variables, the configuration's, and the app's secrets.
pub fn environment(launch: &Launch, config: &Value) -> BTreeMap<String, String> {
    let memory = config["guest"]["memory_mb"].as_u64().unwrap_or(256).to_string();
    let own = [
        ("FLY_APP_NAME", launch.run.app.as_str()),
        ("FLY_MACHINE_ID", &launch.run.machine),
        ("FLY_ALLOC_ID", &launch.run.machine),
        ("FLY_MACHINE_VERSION", &launch.version),
        ("FLY_REGION", &launch.region),
        ("FLY_PRIVATE_IP", &launch.private_ip),
        ("FLY_IMAGE_REF", &launch.image),
        ("FLY_VM_MEMORY_MB", &memory),
        ("FLY_PROCESS_GROUP", config["metadata"]["fly_process_group"].as_str().unwrap_or("app")),
    ];
    let mut env: BTreeMap<String, String> =
        own.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    for (name, value) in config["env"].as_object().into_iter().flatten() {
        env.insert(name.clone(), value.as_str().unwrap_or_default().to_owned());
    }
    env.extend(launch.secrets.clone());
    env
}

/// The files that the configuration asks for; the error names the one that can't be made.
pub fn files(launch: &Launch, config: &Value) -> Result<Vec<SeededFile>, String> {
    let list = config["files"].as_array().map_or(&[][..], Vec::as_slice);
    list.iter().map(|file| one(launch, file)).collect()
}

fn one(launch: &Launch, file: &Value) -> Result<SeededFile, String> {
    let path = file["guest_path"].as_str().unwrap_or_default().to_owned();
    let encoded = match (file["raw_value"].as_str(), file["secret_name"].as_str()) {
        (Some(raw), _) => raw,
        (None, Some(name)) => {
            launch.secrets.get(name).ok_or_else(|| format!("file {path}: the app has no secret {name}"))?
        }
        (None, None) => return Err(format!("file {path}: its source can't be simulated")),
    };
    let bytes =
        STANDARD.decode(encoded.trim()).map_err(|_| format!("file {path}: its source isn't base64"))?;
    let mode = file["mode"].as_u64().and_then(|mode| u32::try_from(mode).ok()).filter(|mode| *mode != 0);
    Ok(SeededFile { path, bytes, mode: mode.unwrap_or(MODE) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::driver::Run;

    fn launch() -> Launch {
        let run = Run { app: "acme".into(), machine: "148e21ea7e4678".into(), epoch: 1 };
        let secrets = BTreeMap::from([("TOKEN".to_owned(), STANDARD.encode("s3cret"))]);
        Launch { secrets, region: "fra".into(), ..Launch::bare(run) }
    }

    #[test]
    fn secrets_win_over_the_configuration_and_fly_adds_its_own() {
        let env = environment(&launch(), &json!({ "env": { "TOKEN": "config", "A": "b" } }));
        assert_eq!(env["TOKEN"], STANDARD.encode("s3cret"));
        assert_eq!((env["A"].as_str(), env["FLY_REGION"].as_str()), ("b", "fra"));
    }

    #[test]
    fn a_file_comes_from_its_text_or_from_a_secret() {
        let config = json!({ "files": [
            { "guest_path": "/etc/a", "raw_value": STANDARD.encode("hello"), "mode": 0o600 },
            { "guest_path": "/etc/b", "secret_name": "TOKEN" },
        ]});
        let files = files(&launch(), &config).unwrap();
        assert_eq!((files[0].bytes.as_slice(), files[0].mode), (&b"hello"[..], 0o600));
        assert_eq!((files[1].bytes.as_slice(), files[1].mode), (&b"s3cret"[..], 0o644));
    }

    #[test]
    fn a_missing_secret_is_named() {
        let config = json!({ "files": [{ "guest_path": "/etc/b", "secret_name": "NONE" }] });
        assert_eq!(files(&launch(), &config).unwrap_err(), "file /etc/b: the app has no secret NONE");
    }
}
