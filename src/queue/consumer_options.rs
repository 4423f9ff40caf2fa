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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::table::{TableBuilder, Value};

    fn parse(
        kind: QueueKind,
        arguments: &[(&str, Value<'_>)],
    ) -> Result<ConsumerOptions, InvalidArgument> {
        let mut table = TableBuilder::new();
        for (name, value) in arguments {
            table.push(name, *value);
        }
        let queue = Subject::Queue("/".into(), "q".into());
        ConsumerOptions::parse(&table.build(), &queue, kind)
    }

    #[test]
    fn what_is_said_is_typed_and_the_unknown_ignored() {
        let said = [
            ("x-priority", Value::I8(-5)),
            ("x-consumer-timeout", Value::I32(1000)),
            ("x-cancel-on-ha-failover", Value::Text(b"a")),
            ("x-nobody-knows", Value::Void),
        ];
        // RabbitMQ 4.3 refuses the timeout on a classic queue.
        for kind in [QueueKind::Classic, QueueKind::Quorum] {
            let options = parse(kind, &said).unwrap();
            assert_eq!((options.priority, options.timeout), (-5, Some(Duration::from_secs(1))));
            assert_eq!(parse(kind, &[]), Ok(ConsumerOptions::default()));
        }
        let highest = parse(QueueKind::Classic, &[("x-priority", Value::I64(i64::MAX))]);
        assert_eq!(highest.unwrap().priority, i64::MAX);
    }

    /// Compared with RabbitMQ 4.3.6.
    #[test]
    fn what_does_not_fit_is_refused() {
        use QueueKind::{Classic, Quorum, Stream};
        let foreign = |name, kind: &str| (name, format!(" of queue type rabbit_{kind}_queue"));
        let bad = |name, reason: &str| (name, format!(": {reason}"));
        let text = Value::Text(b"abc");
        for (kind, value, (name, rest)) in [
            (Classic, text, bad("x-priority", "\"expected integer, got longstr\"")),
            (Quorum, Value::F64(5.0), bad("x-priority", "\"expected integer, got double\"")),
            (Quorum, Value::I32(-1), bad("x-consumer-timeout", "{value_negative,-1}")),
            (Quorum, text, bad("x-consumer-timeout", "\"expected integer, got longstr\"")),
            (Classic, text, foreign("x-stream-offset", "classic")),
            (Quorum, text, foreign("x-stream-filter", "quorum")),
            (Quorum, text, foreign("x-stream-match-unfiltered", "quorum")),
            (Stream, Value::I32(1), foreign("x-priority", "stream")),
            (Stream, Value::I32(1), foreign("x-consumer-timeout", "stream")),
        ] {
            let error = parse(kind, &[(name, value)]).unwrap_err().to_string();
            assert_eq!(error, format!("invalid arg '{name}' for queue 'q' in vhost '/'{rest}"));
        }
        let offset = ("x-stream-offset", Value::Text(b"first"));
        assert!(parse(Stream, &[offset]).is_ok());
        let first = parse(Classic, &[offset, ("x-priority", text)]).unwrap_err().to_string();
        assert!(first.contains("x-priority"), "values are looked at before names");
    }
}
