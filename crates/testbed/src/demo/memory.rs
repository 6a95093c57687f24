//! How much memory may still be used here: what the machine has left, or less in a control group with a limit, as a
//! container is.

use std::fs;
use std::path::{Path, PathBuf};

/// The files of a control group that tell its limit, its use, and within that what can be dropped at once.
struct Names {
    limit: &'static str,
    used: &'static str,
    droppable: &'static str,
}

const VERSION_1: Names = Names {
    limit: "memory.limit_in_bytes",
    used: "memory.usage_in_bytes",
    droppable: "total_inactive_file ",
};
const VERSION_2: Names = Names { limit: "memory.max", used: "memory.current", droppable: "inactive_file " };

/// Bytes that can be used without swapping or being killed, if the system tells.
pub(super) fn available_bytes() -> Option<u64> {
    available_under(Path::new("/"))
}

fn available_under(root: &Path) -> Option<u64> {
    let free = parse_available(&fs::read_to_string(root.join("proc/meminfo")).ok()?)?;
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let rooms = groups.lines().filter_map(|line| room_of_line(root, line));
    Some(rooms.fold(free, u64::min))
}

fn parse_available(info: &str) -> Option<u64> {
    let line = info.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? * 1024)
}

/// The least room of the groups that a line of `/proc/self/cgroup` tells of: `4:memory:/a/b` or `0::/a/b`.
fn room_of_line(root: &Path, line: &str) -> Option<u64> {
    let mut fields = line.splitn(3, ':').skip(1);
    let (controllers, path) = (fields.next()?, fields.next()?);
    let (top, names) = match controllers {
        "" => (root.join("sys/fs/cgroup"), VERSION_2),
        _ if controllers.split(',').any(|one| one == "memory") => {
            (root.join("sys/fs/cgroup/memory"), VERSION_1)
        }
        _ => return None,
    };
    groups(&top, path).iter().filter_map(|group| room(group, &names)).min()
}

/// A group and those that hold it, as far as they can be seen: a container sees its own group as the top.
fn groups(top: &Path, path: &str) -> Vec<PathBuf> {
    let own = top.join(path.trim_start_matches('/'));
    own.ancestors().take_while(|group| group.starts_with(top)).map(Path::to_owned).collect()
}

/// What a group may still use; `None` without a limit.
fn room(group: &Path, names: &Names) -> Option<u64> {
    let number = |name| fs::read_to_string(group.join(name)).ok()?.trim().parse::<u64>().ok();
    let (limit, used) = (number(names.limit)?, number(names.used)?);
    let stat = fs::read_to_string(group.join("memory.stat")).unwrap_or_default();
    let droppable = stat.lines().find_map(|line| line.strip_prefix(names.droppable)?.parse().ok());
    Some(limit.saturating_sub(used.saturating_sub(droppable.unwrap_or(0))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMINFO: &str = "MemTotal:  24000000 kB\nMemFree:  1 kB\nMemAvailable:   2000 kB\n";

    fn system(files: &[(&str, &str)]) -> Option<u64> {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        available_under(root.path())
    }

    #[test]
    fn without_a_limit_it_is_what_the_kernel_calls_available() {
        assert_eq!(system(&[("proc/meminfo", MEMINFO)]), Some(2_048_000));
        assert_eq!(system(&[("proc/meminfo", "MemFree: 1 kB")]), None);
        assert_eq!(system(&[]), None);
        let boundless = [
            ("proc/meminfo", MEMINFO),
            ("proc/self/cgroup", "0::/a"),
            ("sys/fs/cgroup/a/memory.max", "max\n"),
            ("sys/fs/cgroup/a/memory.current", "5\n"),
        ];
        assert_eq!(system(&boundless), Some(2_048_000));
    }

    #[test]
    fn a_group_that_holds_ours_may_leave_less() {
        let limited = [
            ("proc/meminfo", MEMINFO),
            ("proc/self/cgroup", "0::/slice/a"),
            ("sys/fs/cgroup/slice/a/memory.max", "max"),
            ("sys/fs/cgroup/slice/memory.max", "1000000"),
            ("sys/fs/cgroup/slice/memory.current", "600000"),
            ("sys/fs/cgroup/slice/memory.stat", "anon 1\ninactive_file 100000\n"),
        ];
        assert_eq!(system(&limited), Some(500_000));
    }

    #[test]
    fn so_may_one_of_the_first_version_that_a_container_sees_as_the_top() {
        let limited = [
            ("proc/meminfo", MEMINFO),
            ("proc/self/cgroup", "9:name=systemd:/\n4:memory:/docker/4f1\n0::/"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "1000000"),
            ("sys/fs/cgroup/memory/memory.usage_in_bytes", "600000"),
            ("sys/fs/cgroup/memory/memory.stat", "inactive_file 7\ntotal_inactive_file 200000\n"),
        ];
        assert_eq!(system(&limited), Some(600_000));
    }
}
