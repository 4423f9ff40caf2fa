//! What a consumer asked for: the arguments of basic.consume, typed once.
//!
//! Arguments that nobody knows are accepted and ignored; so is `x-cancel-on-ha-failover`, which
//! RabbitMQ 4 has forgotten. The raw table stays with the caller, for reports, and for the
//! `x-stream-*` arguments, which are let through for streams and typed nowhere yet.

use std::time::Duration;

use super::options::{Arguments, InvalidArgument, QueueKind, Subject, value};
use crate::wire::table::Table;

/// What a basic.consume asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConsumerOptions {
    /// `x-priority`: consumers of a higher one are served first. 0 if not given.
    pub priority: i64,
    /// `x-consumer-timeout`, given in ms: how long a delivery may stay unsettled. It goes before
    /// the queue's and the policy's.
    pub timeout: Option<Duration>,
}

impl ConsumerOptions {
    /// Types the arguments of a consumer of this queue, or says why RabbitMQ refuses them.
    pub fn parse(
        arguments: &Table,
        queue: &Subject,
        kind: QueueKind,
    ) -> Result<Self, InvalidArgument> {
        let arguments = Arguments::new(queue, arguments, kind.known_consumer_arguments());
        let options = Self {
            priority: arguments.read("x-priority", value::integer)?.unwrap_or_default(),
            // RabbitMQ 4.3 has it for quorum queues alone.
            timeout: arguments.read("x-consumer-timeout", value::duration)?,
        };
        arguments.refuse_foreign(kind, QueueKind::consumer_arguments)?;
        Ok(options)
    }
}
