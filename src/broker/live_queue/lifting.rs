//! Taking messages out of a queue to bring them elsewhere.

use std::ops::Range;
use std::sync::Arc;

use super::{LiveQueue, Rest};
use crate::message::Message;
use crate::queue::filter::Filter;
use crate::queue::peek::{Peeked, Standing};
use crate::store::CannotFetch;

/// Messages looked at under one hold of the lock.
const LOOK: usize = 512;

impl LiveQueue {
    /// Where the next published message will stand.
    pub fn end(&self) -> u64 {
        self.core.lock().queue.next_position()
    }

    /// Whether it would refuse a message for it is full.
    pub fn would_refuse(&self, message: &Message) -> bool {
        self.may_refuse() && self.core.lock().queue.would_refuse(message)
    }

    /// Takes ready messages out of the line, at most so many, each with its position; and up to
    /// where there are no more. Reads from disk if it has to; blocks on files.
    pub fn lift(
        self: &Arc<Self>,
        span: Range<u64>,
        filter: Option<&Filter>,
        most: usize,
    ) -> Result<(Vec<(u64, Message)>, u64), CannotFetch> {
        let (seen, mut until) = self.look(span.start, span.end, LOOK)?;
        let fits = |each: &Peeked| {
            each.standing == Standing::Ready
                && filter.is_none_or(|filter| filter.fits(&each.message))
        };
        let mut wanted: Vec<Peeked> = seen.into_iter().filter(fits).collect();
        if wanted.len() > most {
            wanted.truncate(most);
            until = wanted.last().map_or(span.start, |last| last.position + 1);
        }
        let mut guard = self.core.lock();
        let core = &mut *guard;
        let before = core.queue.bytes_in_memory();
        wanted.retain(|each| core.queue.lift(each));
        self.shared.memory.changed(before, core.queue.bytes_in_memory());
        let mut rest = Rest::default();
        self.carry_out(core, &mut rest, None);
        drop(guard);
        self.finish(&rest);
        Ok((wanted.into_iter().map(|each| (each.position, each.message)).collect(), until))
    }
}
