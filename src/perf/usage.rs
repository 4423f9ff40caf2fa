//! CPU and memory, as `/proc` tells. Where there is no `/proc` there are no figures.

use std::fs;
use std::path::PathBuf;

use parking_lot::Mutex;

/// Clock ticks per second in `/proc/PID/stat`: 100 on every Linux that runs programs.
const TICKS: f64 = 100.0;
/// Nanoseconds in a second.
const SECOND: f64 = 1e9;

/// Seconds of CPU, user and system, that a process has used. Its precision is 10 ms.
pub(super) fn process_cpu(pid: &str) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command's name stands in brackets and may hold anything, also brackets and spaces.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS)
}

/// Resident memory of a process, in KiB.
pub(super) fn resident(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Makes this thread's sleeps end on time; by default the kernel adds up to 50 µs.
pub(super) fn sleep_precisely() {
    let Ok(thread) = fs::read_link("/proc/thread-self") else { return };
    if let Some(id) = thread.file_name() {
        // A kernel that refuses leaves us less precise.
        let _ = fs::write(PathBuf::from("/proc").join(id).join("timerslack_ns"), "1");
    }
}

/// The CPU of all threads that do one kind of work.
#[derive(Default)]
pub(super) struct ThreadsCpu(Mutex<Threads>);

#[derive(Default)]
struct Threads {
    /// `/proc/self/task/N/schedstat` of those that run.
    running: Vec<PathBuf>,
    /// Nanoseconds of those that have ended.
    ended: u64,
}

impl ThreadsCpu {
    /// Counts the calling thread while `work` runs, and what it used afterwards.
    pub(super) fn count<T>(&self, work: impl FnOnce() -> T) -> T {
        let own = fs::read_link("/proc/thread-self")
            .map(|thread| PathBuf::from("/proc").join(thread).join("schedstat"));
        if let Ok(own) = &own {
            self.0.lock().running.push(own.clone());
        }
        let outcome = work();
        if let Ok(own) = own {
            let mut threads = self.0.lock();
            threads.running.retain(|path| *path != own);
            threads.ended += nanoseconds(&own).unwrap_or_default();
        }
        outcome
    }

    /// Seconds used so far, by the threads that run and those that ended.
    pub(super) fn seconds(&self) -> f64 {
        let threads = self.0.lock();
        let running: u64 = threads.running.iter().filter_map(nanoseconds).sum();
        (threads.ended + running) as f64 / SECOND
    }
}

/// The first field of a schedstat file: time on a CPU.
fn nanoseconds(path: &PathBuf) -> Option<u64> {
    fs::read_to_string(path).ok()?.split_whitespace().next()?.parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_used_cpu_and_memory() {
        assert!(process_cpu("self").is_some());
        assert!(resident(std::process::id()).is_some_and(|kib| kib > 100));
        assert_eq!(process_cpu("0"), None);
    }

    #[test]
    fn a_thread_counts_while_it_runs_and_when_it_has_ended() {
        let cpu = ThreadsCpu::default();
        let while_running = cpu.count(|| cpu.seconds());
        assert!(cpu.seconds() >= while_running);
        assert!(cpu.0.lock().running.is_empty());
    }
}
