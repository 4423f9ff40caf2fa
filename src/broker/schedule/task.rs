//! The one task that waits for the next due time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use crate::broker::Broker;

/// The longest sleep; a due time further away is looked at again then.
const LONGEST: u64 = 3_600_000;

/// When the task is to look next.
#[derive(Debug)]
pub(in crate::broker) struct Alarm {
    at: AtomicU64,
    rung: Notify,
}

impl Default for Alarm {
    fn default() -> Self {
        Self { at: AtomicU64::new(u64::MAX), rung: Notify::new() }
    }
}

impl Alarm {
    /// Something is due then, in milliseconds since 1970.
    pub(in crate::broker) fn sooner(&self, at: u64) {
        if self.at.fetch_min(at, Ordering::AcqRel) > at {
            self.rung.notify_one();
        }
    }
}

/// Lets scheduled messages go when they are due, as long as the broker runs.
pub async fn run(broker: Arc<Broker>) {
    {
        let broker = Arc::clone(&broker);
        let _ = tokio::task::spawn_blocking(move || broker.load_schedules()).await;
    }
    loop {
        let alarm = &broker.shared.alarm;
        let (at, now) = (alarm.at.load(Ordering::Acquire), broker.shared.clock.now());
        if at > now {
            let sleep = tokio::time::sleep(Duration::from_millis((at - now).min(LONGEST)));
            tokio::select! {
                () = alarm.rung.notified() => {}
                () = sleep => {}
            }
            continue;
        }
        // Set back before looking: what comes meanwhile rings again.
        alarm.at.store(u64::MAX, Ordering::Release);
        let looking = Arc::clone(&broker);
        let next = tokio::task::spawn_blocking(move || looking.release_due(now)).await;
        if let Ok(Some(next)) = next {
            alarm.sooner(next);
        }
        broker.tidy_schedules();
    }
}

impl Broker {
    /// Reads back when messages are due that a restart found.
    fn load_schedules(&self) {
        for vhost in self.vhosts() {
            for (_, schedule) in vhost.schedules.all() {
                schedule.load();
            }
        }
        self.shared.alarm.sooner(0);
    }

    /// Sees to what agendas have on disk, while messages are let go.
    fn tidy_schedules(&self) {
        for vhost in self.vhosts() {
            let untidy = vhost.schedules.all().into_iter().filter(|(_, each)| each.is_untidy());
            for (_, schedule) in untidy {
                tokio::task::spawn_blocking(move || schedule.tidy());
            }
        }
    }

    /// Lets go what is due, a batch of each schedule. Returns when to look next.
    fn release_due(&self, now: u64) -> Option<u64> {
        let mut next = None;
        for vhost in self.vhosts() {
            for (exchange, schedule) in vhost.schedules.all() {
                let then = schedule.release(now, |message, together| {
                    vhost.let_go(exchange, message, together);
                });
                next = [next, then].into_iter().flatten().min();
            }
        }
        next
    }
}
