//! State on disk: one line for each app that changed, appended; rewritten when too many lines are old.
//!
//! An app is written before the call that changed it is answered, so that a simulator that is killed forgets nothing
//! that it told anyone. What isn't in an app, and what time alone changed, follows a moment later.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::clock::Millis;
use crate::dns::Dns;
use crate::ledger::{Entry, Ledger};
use crate::model::app::{App, Tombstone};
use crate::tokens::Grant;
use crate::world::{Sim, State};

/// What isn't in an app.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct World {
    /// The time when it was saved.
    pub now: Millis,
    /// How often the simulator was started on this state.
    pub boots: u64,
    /// Numbers given so far.
    pub counter: u64,
    /// Numbers of networks: organisation, name, number.
    pub networks: Vec<(String, String, u64)>,
    /// Machines of deleted apps.
    pub tombstones: VecDeque<Tombstone>,
    /// Digests of tags that were moved.
    pub tags: BTreeMap<String, String>,
    /// The fake DNS.
    pub dns: Dns,
    /// Hostnames behind a proxy, with the app that it leads to.
    pub proxied: BTreeMap<String, String>,
    /// When Let's Encrypt issued a first certificate for a hostname.
    pub issues: BTreeMap<String, Vec<Millis>>,
    /// Tokens that the simulator gave out.
    pub deploy_tokens: Vec<(String, Grant)>,
}

/// What was read back.
#[derive(Debug, Default)]
pub struct Saved {
    /// Apps by name.
    pub apps: HashMap<String, App>,
    /// The rest.
    pub world: World,
}

#[derive(Serialize, Deserialize)]
struct Line<T> {
    name: String,
    app: Option<T>,
}

/// The folder that state is kept in.
pub struct Store {
    folder: PathBuf,
    log: File,
    ledger: File,
    lines: usize,
    /// The ledger's head when the rest was last written; no number at first, so that a start is noted.
    saved_at: u64,
}

impl Store {
    /// Opens a folder, making it if need be, and reads what is in it.
    pub fn open(folder: &Path) -> std::io::Result<(Self, Saved, Ledger)> {
        std::fs::create_dir_all(folder)?;
        let (apps, lines) = read_apps(&folder.join("apps.jsonl"))?;
        let world = match std::fs::read(folder.join("world.json")) {
            Ok(text) => serde_json::from_slice(&text)?,
            Err(_) => World::default(),
        };
        let ledger_path = folder.join("ledger.jsonl");
        let ledger = Ledger::new(read_lines::<Entry>(&ledger_path)?);
        let store = Self {
            folder: folder.to_owned(),
            log: append(&folder.join("apps.jsonl"))?,
            ledger: append(&ledger_path)?,
            lines,
            saved_at: u64::MAX,
        };
        Ok((store, Saved { apps, world }, ledger))
    }

    /// Writes the apps that changed, and the ledger with them. It takes no more than what changed.
    pub fn save_changes(&mut self, sim: &Sim) -> std::io::Result<()> {
        let (lines, ledger, apps) = {
            let mut state = sim.enter();
            let names = std::mem::take(&mut state.dirty);
            let lines = names.iter().map(|name| line(&state, name)).collect::<Result<Vec<_>, _>>()?;
            (lines, state.ledger.take_unwritten(), state.apps.len())
        };
        self.ledger.write_all(&ledger)?;
        self.log.write_all(&lines.concat())?;
        self.lines += lines.len();
        if self.lines > 1_000 + 4 * apps {
            self.compact(sim)?;
        }
        Ok(())
    }

    /// Writes everything that isn't written.
    pub fn save(&mut self, sim: &Sim) -> std::io::Result<()> {
        let world = {
            let state = sim.enter();
            if state.dirty.is_empty() && state.ledger.head() == self.saved_at {
                return Ok(());
            }
            self.saved_at = state.ledger.head();
            serde_json::to_vec(&world(&state))?
        };
        self.save_changes(sim)?;
        replace(&self.folder.join("world.json"), &world)
    }

    /// Rewrites the log with one line for each app.
    fn compact(&mut self, sim: &Sim) -> std::io::Result<()> {
        let text = {
            let state = sim.enter();
            let lines = state.apps.keys().map(|name| line(&state, name)).collect::<Result<Vec<_>, _>>()?;
            self.lines = lines.len();
            lines.concat()
        };
        let path = self.folder.join("apps.jsonl");
        replace(&path, &text)?;
        self.log = OpenOptions::new().append(true).open(path)?;
        Ok(())
    }
}

/// Opens a file of lines for more; a last line that was cut short is ended first.
fn append(path: &Path) -> std::io::Result<File> {
    let mut file = OpenOptions::new().create(true).read(true).append(true).open(path)?;
    if file.seek(SeekFrom::End(-1)).is_ok() {
        let mut last = [0];
        file.read_exact(&mut last)?;
        if last != [b'\n'] {
            file.write_all(b"\n")?;
        }
    }
    Ok(file)
}

fn line(state: &State, name: &str) -> serde_json::Result<Vec<u8>> {
    let mut text = serde_json::to_vec(&Line { name: name.to_owned(), app: state.apps.get(name) })?;
    text.push(b'\n');
    Ok(text)
}

fn world(state: &State) -> World {
    World {
        now: state.now,
        boots: state.boots,
        counter: state.counter,
        networks: state.networks.iter().map(|((org, name), n)| (org.clone(), name.clone(), *n)).collect(),
        tombstones: state.tombstones.clone(),
        tags: state.tags.clone(),
        dns: state.dns.clone(),
        proxied: state.proxied.clone(),
        issues: state.issues.clone(),
        deploy_tokens: state.tokens.deploy_tokens(),
    }
}

fn replace(path: &Path, text: &[u8]) -> std::io::Result<()> {
    let beside = path.with_extension("new");
    std::fs::write(&beside, text)?;
    std::fs::rename(beside, path)
}

fn read_apps(path: &Path) -> std::io::Result<(HashMap<String, App>, usize)> {
    let lines = read_lines::<Line<App>>(path)?;
    let count = lines.len();
    let mut apps = HashMap::new();
    for line in lines {
        match line.app {
            Some(app) => apps.insert(line.name, app),
            None => apps.remove(&line.name),
        };
    }
    Ok((apps, count))
}

/// Reads a file of JSON lines; a last line that was cut short is left out.
fn read_lines<T: for<'de> Deserialize<'de>>(path: &Path) -> std::io::Result<Vec<T>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut read = Vec::new();
    for line in BufReader::new(file).lines() {
        let line = line?;
        if line.is_empty() {
            continue;
        }
        match serde_json::from_str(&line) {
            Ok(item) => read.push(item),
            Err(error) => {
                tracing::warn!(%error, file = %path.display(), "a line can't be read and is left out");
            }
        }
    }
    Ok(read)
}
