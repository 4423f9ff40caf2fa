//! What became of deliveries: ack, nack, reject, recover, and transactions of them.

use crate::broker::outbox::Stalled;
use crate::broker::settle::{Gathered, requeue_all};
use crate::broker::transaction::Operation;
use crate::names::LogPosition;
use crate::net::session::Session;
use crate::protocol::channel::Mode;
use crate::protocol::fault::Fault;
use crate::queue::{Command, Outcome, Return};
use crate::wire::method::{Ack, AnyMethod, Nack, Reject, basic, tx};

/// What a client says became of one delivery, or of all up to one.
#[derive(Clone, Copy)]
struct Settlement {
    tag: u64,
    multiple: bool,
    outcome: Outcome,
}

impl Session {
    /// basic.ack
    #[inline]
    pub(super) fn ack(&mut self, number: u16, ack: Ack) -> Result<(), Fault> {
        let Ack { delivery_tag: tag, multiple } = ack;
        self.settle(number, Settlement { tag, multiple, outcome: Outcome::Accept })
    }

    /// basic.nack
    pub(super) fn nack(&mut self, number: u16, nack: Nack) -> Result<(), Fault> {
        let Nack { delivery_tag: tag, multiple, requeue } = nack;
        self.settle(number, Settlement { tag, multiple, outcome: refusal(requeue, Return::Nacked) })
    }

    /// basic.reject
    pub(super) fn reject(&mut self, number: u16, reject: Reject) -> Result<(), Fault> {
        let Reject { delivery_tag: tag, requeue } = reject;
        self.settle(
            number,
            Settlement { tag, multiple: false, outcome: refusal(requeue, Return::Rejected) },
        )
    }

    #[inline]
    fn settle(&mut self, number: u16, settlement: Settlement) -> Result<(), Fault> {
        let Settlement { tag, multiple, outcome } = settlement;
        let in_transaction =
            self.channels.get(&number).is_some_and(|each| matches!(each.mode, Mode::Transaction));
        let mut count = 0;
        let resumed = if in_transaction {
            let operations = self.transactions.entry(number).or_default();
            self.outbox.lock().settle(number, tag, multiple, |tag, queue, outstanding| {
                let (queue, id) = (queue.clone(), outstanding.id);
                operations.push(Operation::Settle { tag, queue, id, outcome });
                count += 1;
                false
            })?
        } else {
            let gathered = &mut self.gathered;
            self.outbox.lock().settle(number, tag, multiple, |_, queue, outstanding| {
                gathered.settle(queue, outstanding.id, outcome);
                outcome == Outcome::Accept
            })?
        };
        if in_transaction && let Some(channel) = self.channels.get(&number) {
            channel.record.uncommitted_acks.add(count);
        }
        self.resume(&resumed);
        Ok(())
    }

    /// Consumers may take more now; they get their turn with this read's settlements.
    pub(super) fn resume(&mut self, consumers: &[Stalled]) {
        for Stalled { queue, consumer } in consumers {
            self.gathered.push(queue, Command::Room(*consumer));
        }
    }

    /// basic.recover: everything outstanding on the channel goes back.
    pub(super) fn recover(&mut self, number: u16, answer: bool) {
        self.flush();
        if answer {
            // The answer comes before what is delivered again, as in RabbitMQ.
            let ok = basic::AMQPMethod::RecoverOk(basic::RecoverOk {});
            self.outbox.send(number, &AnyMethod::Basic(ok));
        }
        requeue_all(&self.outbox, number);
    }

    /// tx.commit
    pub(super) fn commit(&mut self, number: u16) {
        // What came before is not a part of it.
        self.flush();
        let together = self.common.broker.shared.store.as_ref().map(|store| store.begin());
        if let Some(publisher) = &mut self.publisher {
            publisher.begin(together);
        }
        for operation in self.transactions.remove(&number).unwrap_or_default() {
            match operation {
                Operation::Publish { message, more_keys, mandatory } => {
                    self.publish_committed(number, message, &more_keys, mandatory);
                }
                Operation::Settle { queue, id, outcome, .. } => {
                    if outcome == Outcome::Accept {
                        self.outbox.lock().acknowledged(number, &queue);
                    }
                    self.gathered.settle(&queue, id, outcome);
                }
            }
        }
        self.nothing_uncommitted(number);
        let safe_at = self.commit_gathered();
        let ok = tx::AMQPMethod::CommitOk(tx::CommitOk {});
        self.answer_once_safe(number, AnyMethod::Tx(ok), safe_at);
    }

    /// Gives every queue its turn that a transaction concerns. On disk all of it counts at once.
    /// Returns the position that makes it safe.
    fn commit_gathered(&mut self) -> LogPosition {
        let Some(publisher) = &mut self.publisher else { return LogPosition::default() };
        self.gathered.flush_within(publisher.together());
        publisher.commit()
    }

    fn nothing_uncommitted(&self, number: u16) {
        if let Some(channel) = self.channels.get(&number) {
            channel.record.uncommitted.set(0);
            channel.record.uncommitted_acks.set(0);
        }
    }

    /// tx.rollback: publishes are forgotten, settled deliveries are outstanding again.
    pub(super) fn rollback(&mut self, number: u16) {
        let operations = self.transactions.remove(&number).unwrap_or_default();
        self.nothing_uncommitted(number);
        let mut outbox = self.outbox.lock();
        for operation in operations {
            match operation {
                Operation::Publish { .. } => {}
                Operation::Settle { tag, queue, id, .. } => outbox.restore(number, tag, &queue, id),
            }
        }
        let ok = tx::AMQPMethod::RollbackOk(tx::RollbackOk {});
        outbox.out().method(number, &AnyMethod::Tx(ok));
    }

    /// The channel is gone: what its transaction settled goes back to the queues.
    pub(super) fn requeue_transaction(&mut self, number: u16) {
        let mut gathered = Gathered::default();
        for operation in self.transactions.remove(&number).unwrap_or_default() {
            match operation {
                Operation::Publish { .. } => {}
                Operation::Settle { queue, id, .. } => {
                    gathered.settle(&queue, id, Outcome::Requeue(Return::Released));
                }
            }
        }
        gathered.flush();
    }
}

fn refusal(requeue: bool, how: Return) -> Outcome {
    if requeue { Outcome::Requeue(how) } else { Outcome::Discard }
}
