//! Prometheus' text format, version 0.0.4. Writing it is a few lines; the encoders that there are
//! (`prometheus-client` and others) want to own the counters, and ours are counted elsewhere.

use std::fmt::{self, Display, Write};

/// What the answer says that it is.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What a metric's number means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It only grows.
    Counter,
    /// It is what it is now.
    Gauge,
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
        };
        let name = &self.name;
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        // A string takes whatever is written.
        let _ = write!(self.text, "# TYPE {name} {kind}\n# HELP {name} {help}\n");
    }

    /// One sample of it.
    pub(super) fn sample(&mut self, labels: &Labels, value: f64) {
        self.text.push_str(&self.name);
        if !labels.0.is_empty() {
            self.text.push('{');
            self.text.push_str(&labels.0);
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
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
        text.sample(&Labels::default(), 3.0);
        text.metric("rabbitmq_", "queue_messages_total", Kind::Counter, "Messages");
        let labels = Labels::default().with("vhost", "/").with("queue", "a \"b\"\\\n");
        text.sample(&labels, 9_007_199_254_740_991.0);
        text.sample(&labels, 0.5);
        let expected = "# TYPE rabbitmq_queues gauge\n\
             # HELP rabbitmq_queues Queues\\navailable\n\
             rabbitmq_queues 3\n\
             # TYPE rabbitmq_queue_messages_total counter\n\
             # HELP rabbitmq_queue_messages_total Messages\n\
             rabbitmq_queue_messages_total{vhost=\"/\",queue=\"a \\\"b\\\"\\\\\\n\"} 9007199254740991\n\
             rabbitmq_queue_messages_total{vhost=\"/\",queue=\"a \\\"b\\\"\\\\\\n\"} 0.5\n";
        assert_eq!(text.finish(), expected);
    }
}
