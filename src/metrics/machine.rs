//! What this process and its machine are doing.

use std::fs;
use std::path::Path;

/// What the process uses, and what it may use.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Bytes of memory that it holds (resident).
    pub memory: u64,
    /// Open file descriptors.
    pub descriptors: u64,
    /// How many there may be.
    pub descriptors_limit: u64,
    /// Bytes that are free where the data directory is.
    pub disk_free: u64,
    /// Runs of other tasks that it had to make room for.
    pub context_switches: u64,
}

impl Usage {
    /// Looks. A number that the system does not tell is 0.
    pub fn now(data: &Path) -> Self {
        Self {
            memory: resident_memory().unwrap_or(0),
            descriptors: fs::read_dir("/proc/self/fd").map_or(0, |open| open.count() as u64),
            descriptors_limit: descriptors_limit().unwrap_or(0),
            disk_free: disk_free(data),
            context_switches: context_switches().unwrap_or(0),
        }
    }
}

/// What a node is called: `warren@` and the machine's name.
pub fn node_name() -> String {
    let uname = rustix::system::uname();
    let host = uname.nodename().to_string_lossy();
    let host = host.split('.').next().filter(|host| !host.is_empty()).unwrap_or("localhost");
    format!("warren@{host}")
}

/// Bytes of memory that the process holds.
pub fn resident_memory() -> Option<u64> {
    let pages = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = pages.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

/// Bytes of the program and its libraries that are in memory.
pub fn code_memory() -> Option<u64> {
    Some(status("RssFile:")? * 1024)
}

fn descriptors_limit() -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find(|line| line.starts_with("Max open files"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}

fn context_switches() -> Option<u64> {
    Some(status("voluntary_ctxt_switches:")? + status("nonvoluntary_ctxt_switches:")?)
}

/// One number of what the system says of this process.
fn status(name: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Bytes that are free where a directory is, or will be.
fn disk_free(directory: &Path) -> u64 {
    let there = directory.ancestors().find(|each| each.exists()).unwrap_or_else(|| Path::new("."));
    let there = if there.as_os_str().is_empty() { Path::new(".") } else { there };
    rustix::fs::statvfs(there).map_or(0, |disk| disk.f_bavail * disk.f_frsize)
}
