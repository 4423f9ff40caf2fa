//! Who is connected to a vhost: counted, and told when it ends.
//!
//! Lock rank 1, alone: no other lock is taken under it but an outbox's (rank 3).

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::outbox::Outbox;
use crate::names::ConnectionId;
use crate::protocol::fault::Fault;

/// The connections of one vhost.
#[derive(Default)]
pub(super) struct Guests(Mutex<State>);

#[derive(Default)]
struct State {
    open: HashMap<ConnectionId, Arc<Outbox>>,
    ended: bool,
}

impl Guests {
    /// Lets a connection in, unless the vhost has ended or `refuse` says of the number of those
    /// that are in why not.
    pub(super) fn admit(
        &self,
        id: ConnectionId,
        outbox: &Arc<Outbox>,
        refuse: impl FnOnce(usize) -> Option<Fault>,
    ) -> Result<Admitted, Fault> {
        let mut state = self.0.lock();
        if state.ended {
            return Ok(Admitted::Ended);
        }
        match refuse(state.open.len()) {
            Some(fault) => Err(fault),
            None => {
                state.open.insert(id, Arc::clone(outbox));
                Ok(Admitted::In)
            }
        }
    }

    /// A connection has ended.
    pub(super) fn leave(&self, id: ConnectionId) {
        self.0.lock().open.remove(&id);
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.lock().open.len()
    }

    /// Lets nobody in any more and closes those that are in.
    pub(super) fn end(&self, why: &Fault) {
        let open = {
            let mut state = self.0.lock();
            state.ended = true;
            std::mem::take(&mut state.open)
        };
        for outbox in open.values() {
            outbox.order_close(why.clone());
        }
    }
}

/// What became of a connection that wants in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admitted {
    /// It is in.
    In,
    /// There is no such vhost any more.
    Ended,
}
