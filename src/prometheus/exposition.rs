//! Prometheus' text format, version 0.0.4. Writing it is a few lines; the encoders that there are
//! (`prometheus-client` and others) want to own the counters, and ours are counted elsewhere.

use std::fmt::{self, Display, Write};
use std::ops::Add;

/// What the answer says that it is.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What a metric's number means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It only grows.
    Counter,
    /// It is what it is now.
    Gauge,
    /// How many were not larger than each of several bounds.
    Histogram,
}

/// A sample's number. Most are whole, and those are written several times as fast.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value {
    Whole(u64),
    Real(f64),
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Whole(number)
    }
}

impl From<usize> for Value {
    fn from(number: usize) -> Self {
        Self::Whole(number as u64)
    }
}

impl From<bool> for Value {
    fn from(holds: bool) -> Self {
        Self::Whole(holds.into())
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Real(number)
    }
}

impl Add for Value {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        match (self, other) {
            (Self::Whole(a), Self::Whole(b)) => Self::Whole(a + b),
            (Self::Whole(a), Self::Real(b)) | (Self::Real(b), Self::Whole(a)) => {
                Self::Real(a as f64 + b)
            }
            (Self::Real(a), Self::Real(b)) => Self::Real(a + b),
        }
    }
}

impl Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(number) => number.fmt(f),
            Self::Real(number) => number.fmt(f),
        }
    }
}

/// Labels of one sample, written once and used for many metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Labels(String);

impl Labels {
    /// One label more.
    pub(super) fn with(mut self, name: &str, value: impl Display) -> Self {
        if !self.0.is_empty() {
            self.0.push(',');
        }
        self.0.push_str(name);
        self.0.push_str("=\"");
        // A string takes whatever is written.
        let _ = write!(Escaped(&mut self.0), "{value}");
        self.0.push('"');
        self
    }
}

/// Escapes what stands between quotes in a label.
struct Escaped<'a>(&'a mut String);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            match character {
                '\\' => self.0.push_str("\\\\"),
                '"' => self.0.push_str("\\\""),
                '\n' => self.0.push_str("\\n"),
                other => self.0.push(other),
            }
        }
        Ok(())
    }
}

/// The text as far as it is written.
#[derive(Debug, Default)]
pub(super) struct Exposition {
    text: String,
    name: String,
}

impl Exposition {
    /// Begins a metric. Its samples follow.
    pub(super) fn metric(&mut self, prefix: &str, name: &str, kind: Kind, help: &str) {
        self.name.clear();
        self.name.push_str(prefix);
        self.name.push_str(name);
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let name = &self.name;
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        // A string takes whatever is written.
        let _ = write!(self.text, "# TYPE {name} {kind}\n# HELP {name} {help}\n");
    }

    /// One sample of it.
    pub(super) fn sample(&mut self, labels: &Labels, value: impl Into<Value>) {
        self.part("", labels, value);
    }

    /// One sample of a part of it: a histogram has several.
    pub(super) fn part(&mut self, suffix: &str, labels: &Labels, value: impl Into<Value>) {
        self.text.push_str(&self.name);
        self.text.push_str(suffix);
        if !labels.0.is_empty() {
            self.text.push('{');
            self.text.push_str(&labels.0);
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {}", value.into());
    }

    /// All of it.
    pub(super) fn finish(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_looks_like_this() {
        let mut text = Exposition::default();
        text.metric("rabbitmq_", "queues", Kind::Gauge, "Queues\navailable");
        text.sample(&Labels::default(), 3_u64);
        text.metric("rabbitmq_", "queue_messages_total", Kind::Counter, "Messages");
        let labels = Labels::default().with("vhost", "/").with("queue", "a \"b\"\\\n");
        text.sample(&labels, u64::MAX);
        text.sample(&labels, 0.5);
        text.metric("rabbitmq_", "size", Kind::Histogram, "Size");
        text.part("_count", &Labels::default(), Value::Whole(1) + Value::Real(1.5));
        let expected = "# TYPE rabbitmq_queues gauge\n\
             # HELP rabbitmq_queues Queues\\navailable\n\
             rabbitmq_queues 3\n\
             # TYPE rabbitmq_queue_messages_total counter\n\
             # HELP rabbitmq_queue_messages_total Messages\n\
             rabbitmq_queue_messages_total{vhost=\"/\",queue=\"a \\\"b\\\"\\\\\\n\"} 18446744073709551615\n\
             rabbitmq_queue_messages_total{vhost=\"/\",queue=\"a \\\"b\\\"\\\\\\n\"} 0.5\n\
             # TYPE rabbitmq_size histogram\n\
             # HELP rabbitmq_size Size\n\
             rabbitmq_size_count 2.5\n";
        assert_eq!(text.finish(), expected);
    }
}
