//! Takes dead messages to where they go: from the queue they died in, through the dead-letter
//! exchange, into other queues.
//!
//! One task does it for all queues, a batch of one queue after a batch of another. So no queue's
//! lock is held while another's is taken, a chain of dead letters needs no stack, and a circle
//! keeps nobody else from their turn. Until a message has reached its new queues, the old one
//! keeps it; on disk, arriving there and leaving here is one transaction.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::live_queue::LiveQueue;
use super::procession::{Procession, Sent};
use crate::queue::death::{Burial, Letter};
use crate::queue::options::DeadLetterStrategy;
use crate::queue::settings::DeadLetter;
use crate::queue::{Command, Dead};

/// Messages taken from one queue before it is another one's turn.
const BATCH: usize = 256;
/// How long at-least-once waits before it tries again to reach a queue that refused.
const PAUSE: Duration = Duration::from_secs(1);

/// Queues with dead messages.
#[derive(Default)]
pub struct DeadLetters {
    waiting: Mutex<VecDeque<Arc<LiveQueue>>>,
    bell: Notify,
}

impl DeadLetters {
    /// A queue has dead messages. It is asked until it has none any more.
    pub fn push(&self, queue: Arc<LiveQueue>) {
        self.waiting.lock().push_back(queue);
        self.bell.notify_one();
    }

    /// Nobody takes any more: they stay where they are, and come back with a restart.
    pub fn forget(&self) {
        self.waiting.lock().clear();
    }

    /// Takes dead messages on their way for as long as the broker lives.
    pub async fn run(&self, now: impl Fn() -> u64) {
        loop {
            let next = self.waiting.lock().pop_front();
            let Some(queue) = next else {
                self.bell.notified().await;
                continue;
            };
            if queue.must_exhume() {
                let queue = Arc::clone(&queue);
                // Reads files; should it panic, the messages stay where they are.
                let _ = tokio::task::spawn_blocking(move || queue.exhume(BATCH)).await;
            }
            let batch = queue.take_dead(BATCH);
            if batch.dead.is_empty() && !batch.more {
                continue;
            }
            bury(&queue, batch, now() / 1000);
            self.waiting.lock().push_back(queue);
            tokio::task::yield_now().await;
        }
    }
}

/// What a queue hands out to be taken elsewhere.
pub struct Batch {
    /// The messages.
    pub dead: Vec<Dead>,
    /// Where they go, if there still is anything to be said about that.
    pub to: Option<DeadLetter>,
    /// There are more.
    pub more: bool,
}

fn bury(queue: &Arc<LiveQueue>, batch: Batch, time: u64) {
    let Batch { dead, to, .. } = batch;
    let (Some(to), Some(vhost)) = (to, queue.vhost()) else {
        queue.turn([Command::Buried(dead.iter().filter_map(|dead| dead.position).collect())]);
        return;
    };
    let together = queue.begin();
    let mut procession = Procession::new(&vhost, together.as_ref());
    let keep = to.strategy == DeadLetterStrategy::AtLeastOnce;
    if keep {
        // What is tried again must not have reached a part of them.
        procession = procession.all_or_none();
    }
    let (mut buried, mut refused) = (Vec::with_capacity(dead.len()), Vec::new());
    for each in dead {
        let burial = Burial {
            queue: queue.name.as_str(),
            death: each.death,
            time,
            exchange: to.exchange.as_str(),
            routing_key: to.routing_key.as_deref(),
        };
        let letter = Letter::new(&each.message, burial);
        let keys: Vec<&[u8]> = letter.keys.iter().map(AsRef::as_ref).collect();
        let may_enter = |queue: &LiveQueue| !letter.goes_round(queue.name.as_str());
        let sent = procession.send(&letter.message, &keys, may_enter);
        if sent == Sent::Taken || !keep {
            buried.extend(each.position);
        } else {
            refused.push(each);
        }
    }
    procession.arrive();
    queue.turn_within([Command::Buried(buried)], together.as_ref());
    if let Some(together) = together {
        together.commit();
    }
    if !refused.is_empty() {
        let queue = Arc::clone(queue);
        tokio::spawn(async move {
            tokio::time::sleep(PAUSE).await;
            queue.turn([Command::Unburied(refused)]);
        });
    }
}
