//! What runs in the Machine, read from its own `/proc`.

use std::{collections::HashMap, fs, path::Path};

use crate::sandbox::{ListenSocket, ProcessStat};

/// The most processes listed, so that the answer fits one packet.
const MOST: usize = 200;
/// The longest command line listed, in bytes.
const LONGEST: usize = 512;
/// Linux counts processor time for programs in hundredths of a second.
const MILLISECONDS_PER_TICK: u64 = 10;
/// Clock ticks and pages are the same on every platform that this runs on.
const PAGE: u64 = 4096;
/// `st` in `/proc/net/tcp` of a listening socket.
const LISTEN: &str = "0A";

/// All processes but init, in order of their ids.
pub(super) fn list() -> Vec<ProcessStat> {
    let listening = listening();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut pids: Vec<i32> = entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| *pid != 1)
        .collect();
    pids.sort_unstable();
    pids.into_iter().take(MOST).filter_map(|pid| read(pid, &listening)).collect()
}

/// One process; `None` if it has ended meanwhile.
fn read(pid: i32, listening: &HashMap<String, ListenSocket>) -> Option<ProcessStat> {
    let dir = Path::new("/proc").join(pid.to_string());
    let stat = fs::read_to_string(dir.join("stat")).ok()?;
    // The name in parentheses may hold anything; fields count from behind it.
    let (_, fields) = stat.rsplit_once(") ")?;
    let field =
        |index: usize| fields.split(' ').nth(index).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    let (rtime, stime) = (field(11), field(12));
    Some(ProcessStat {
        pid,
        command: command(&dir),
        directory: fs::read_link(dir.join("cwd")).map(|path| path.display().to_string()).unwrap_or_default(),
        cpu: (rtime + stime) * MILLISECONDS_PER_TICK,
        rss: field(21) * PAGE,
        rtime,
        stime,
        listen_sockets: sockets(&dir, listening),
    })
}

fn command(dir: &Path) -> String {
    let words = fs::read(dir.join("cmdline")).unwrap_or_default();
    let words = words.get(..words.len().min(LONGEST)).unwrap_or_default();
    String::from_utf8_lossy(words).replace('\0', " ").trim_end().to_owned()
}

fn sockets(dir: &Path, listening: &HashMap<String, ListenSocket>) -> Vec<ListenSocket> {
    let open = fs::read_dir(dir.join("fd")).into_iter().flatten().flatten();
    let links = open.filter_map(|entry| fs::read_link(entry.path()).ok());
    links.filter_map(|link| listening.get(link.to_str()?).cloned()).collect()
}

/// Listening sockets by what a descriptor's link shows, `socket:[inode]`.
fn listening() -> HashMap<String, ListenSocket> {
    ["tcp", "tcp6"].into_iter().flat_map(listening_in).collect()
}

fn listening_in(proto: &'static str) -> Vec<(String, ListenSocket)> {
    let table = fs::read_to_string(Path::new("/proc/net").join(proto)).unwrap_or_default();
    let rows = table.lines().skip(1).filter_map(|row| {
        let fields: Vec<&str> = row.split_whitespace().collect();
        let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
        let (host, port) = local.split_once(':')?;
        let port = u16::from_str_radix(port, 16).ok()?;
        let listens = *state == LISTEN;
        listens.then(|| {
            (
                format!("socket:[{inode}]"),
                ListenSocket { proto: proto.into(), address: format!("{}:{port}", host_text(host)) },
            )
        })
    });
    rows.collect()
}

/// The kernel writes each 32-bit word in the machine's own byte order.
fn host_text(hex: &str) -> String {
    let words = hex
        .as_bytes()
        .chunks(8)
        .filter_map(|word| u32::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok());
    let bytes: Vec<u8> = words.flat_map(u32::to_ne_bytes).collect();
    if let Ok(v4) = <[u8; 4]>::try_from(bytes.as_slice()) {
        return std::net::Ipv4Addr::from(v4).to_string();
    }
    <[u8; 16]>::try_from(bytes.as_slice())
        .map_or_else(|_| hex.to_owned(), |v6| format!("[{}]", std::net::Ipv6Addr::from(v6)))
}

/// How often the kernel has killed a process for lack of memory since it booted.
pub(super) fn oom_kills() -> u64 {
    let counters = fs::read_to_string("/proc/vmstat").unwrap_or_default();
    let count = counters.lines().find_map(|line| line.strip_prefix("oom_kill "));
    count.and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}
