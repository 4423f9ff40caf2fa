//! What time it is, and who has to be woken when.
//!
//! The broker's time is the wall clock's at its start plus what has passed since then: somebody
//! who sets the clock makes nothing expire, and keeps nothing from expiring. A restart goes by
//! the wall clock again.
//!
//! One task wakes all queues: each tells when it is due next, and is given a turn then.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::live_queue::LiveQueue;

/// Turns given in a row before other tasks get theirs.
const TURNS: usize = 64;

/// See the module.
pub struct Clock {
    began: Instant,
    /// Milliseconds from 1970 to `began`.
    wall: u64,
    alarms: Mutex<BinaryHeap<Reverse<Alarm>>>,
    /// There is an alarm before the one that is waited for.
    earlier: Notify,
}

/// A queue that wants a turn.
struct Alarm {
    due: u64,
    queue: Weak<LiveQueue>,
}

impl PartialEq for Alarm {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}

impl Eq for Alarm {}

impl PartialOrd for Alarm {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Alarm {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.due.cmp(&other.due)
    }
}

impl Clock {
    /// A clock that begins now.
    pub fn start() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            began: Instant::now(),
            wall: u64::try_from(wall.as_millis()).unwrap_or(u64::MAX),
            alarms: Mutex::default(),
            earlier: Notify::new(),
        }
    }

    /// Milliseconds since 1970.
    #[inline]
    pub fn now(&self) -> u64 {
        self.wall + u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Gives a queue a turn once it is due.
    pub fn wake(&self, queue: &Arc<LiveQueue>, due: u64) {
        let mut alarms = self.alarms.lock();
        let earliest = alarms.peek().is_none_or(|Reverse(first)| due < first.due);
        alarms.push(Reverse(Alarm { due, queue: Arc::downgrade(queue) }));
        drop(alarms);
        if earliest {
            self.earlier.notify_one();
        }
    }

    /// Gives turns for as long as the broker lives.
    pub async fn run(&self) {
        loop {
            for turn in 0..TURNS {
                let Some(queue) = self.next() else { break };
                if let Some(queue) = queue.upgrade() {
                    queue.turn([]);
                }
                if turn == TURNS - 1 {
                    tokio::task::yield_now().await;
                }
            }
            let due = self.alarms.lock().peek().map(|Reverse(first)| first.due);
            let Some(due) = due else {
                self.earlier.notified().await;
                continue;
            };
            let wait = Duration::from_millis(due.saturating_sub(self.wall));
            // Beyond what a timer can be set to, looking again now and then is as good.
            let wait = wait.min(self.began.elapsed() + Duration::from_secs(3600));
            tokio::select! {
                () = sleep_until(self.began + wait) => {}
                () = self.earlier.notified() => {}
            }
        }
    }

    /// The next queue that is due.
    fn next(&self) -> Option<Weak<LiveQueue>> {
        let now = self.now();
        let mut alarms = self.alarms.lock();
        alarms.peek().filter(|Reverse(first)| first.due <= now)?;
        alarms.pop().map(|Reverse(first)| first.queue)
    }
}
