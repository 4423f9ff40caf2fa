//! How much memory there is, and how much of it may be taken.

use std::path::{Path, PathBuf};

use super::LimitsConfig;

impl LimitsConfig {
    /// Bytes of messages in memory beyond which publishers wait.
    pub fn message_memory_bytes(&self) -> usize {
        (memory_limit() as f64 * self.message_memory) as usize
    }

    /// Bytes of the whole process beyond which publishers wait.
    pub fn memory_watermark(&self) -> u64 {
        match self.memory_watermark_bytes {
            0 => (memory_limit() as f64 * self.memory_watermark) as u64,
            bytes => bytes,
        }
    }
}

/// The memory that this process may use: its cgroup's limit, or what the machine has.
pub fn memory_limit() -> u64 {
    let number =
        |file: &Path| -> Option<u64> { std::fs::read_to_string(file).ok()?.trim().parse().ok() };
    let machine = || -> Option<u64> {
        let info = std::fs::read_to_string("/proc/meminfo").ok()?;
        let line = info.lines().find(|line| line.starts_with("MemTotal:"))?;
        Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
    };
    let machine = machine().unwrap_or(4 << 30);
    let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    limit_files(&groups).iter().filter_map(|file| number(file)).fold(machine, u64::min)
}

/// The files that say how much memory a process may take that is in these groups (as
/// `/proc/self/cgroup` lists them): each group's own and those of the groups around it, of both
/// versions of cgroups. In a container the roots are the container's.
fn limit_files(groups: &str) -> Vec<PathBuf> {
    let v2 = |path: &str| ("/sys/fs/cgroup", "memory.max", path.to_owned());
    let v1 = |path: &str| ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", path.to_owned());
    let mine = groups.lines().filter_map(|line| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        match controllers {
            "" => Some(v2(path)),
            some if some.split(',').any(|each| each == "memory") => Some(v1(path)),
            _ => None,
        }
    });
    let files = |(root, file, path): (&str, &str, String)| -> Vec<PathBuf> {
        let around = Path::new(path.trim_start_matches('/')).ancestors();
        around.map(|group| Path::new(root).join(group).join(file)).collect()
    };
    mine.chain([v2("/"), v1("/")]).flat_map(files).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_groups_around_a_process_limit_it_too() {
        let files = |groups: &str| -> Vec<String> {
            limit_files(groups).iter().map(|file| file.display().to_string()).collect()
        };
        let roots = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
        assert_eq!(files(""), roots);
        let service = files("0::/system.slice/warren.service\n");
        assert_eq!(service[0], "/sys/fs/cgroup/system.slice/warren.service/memory.max");
        assert_eq!(service[1], "/sys/fs/cgroup/system.slice/memory.max");
        let old = files("5:cpu,cpuacct:/a\n4:memory:/docker/b\n");
        assert_eq!(old[0], "/sys/fs/cgroup/memory/docker/b/memory.limit_in_bytes");
        assert_eq!(old.len(), 3 + roots.len());
    }

    #[test]
    fn bytes_win_over_the_share() {
        let limits = LimitsConfig { memory_watermark_bytes: 5, ..LimitsConfig::default() };
        assert_eq!(limits.memory_watermark(), 5);
        let share = LimitsConfig { memory_watermark: 0.5, ..LimitsConfig::default() };
        assert_eq!(share.memory_watermark(), memory_limit() / 2);
    }
}
