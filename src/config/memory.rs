//! How much memory there is, and how much of it may be taken.

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
        |file: &str| -> Option<u64> { std::fs::read_to_string(file).ok()?.trim().parse().ok() };
    let machine = || -> Option<u64> {
        let info = std::fs::read_to_string("/proc/meminfo").ok()?;
        let line = info.lines().find(|line| line.starts_with("MemTotal:"))?;
        Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
    };
    let machine = machine().unwrap_or(4 << 30);
    let groups = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    groups.iter().filter_map(|file| number(file)).fold(machine, u64::min)
}
