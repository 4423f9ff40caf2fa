//! The latest lines, and those who follow them.

use std::collections::VecDeque;
use std::fmt::{self, Debug};
use std::sync::Arc;

use parking_lot::Mutex;
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::sync::broadcast;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::layer::Context;

use crate::config::LogConfig;

/// Lines that somebody who follows may be behind before some are missed.
const BEHIND: usize = 256;
/// Bytes of one text in a line; what is longer is cut. A client can name things at some length.
const LONGEST: usize = 2048;

/// How bad it is, in the order in which `level` asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names are the log's")]
pub enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// Counts up from 1.
    pub id: u64,
    /// When: RFC 3339, UTC.
    pub timestamp: String,
    /// How bad it is.
    pub level: Level,
    /// Which part of the broker says it.
    pub target: String,
    /// What it says.
    pub message: String,
    /// What it is about.
    pub fields: Map<String, Value>,
}

/// The latest lines.
pub struct Logs {
    kept: Mutex<Kept>,
    most: usize,
    new: broadcast::Sender<Arc<Line>>,
}

#[derive(Default)]
struct Kept {
    lines: VecDeque<Arc<Line>>,
    last: u64,
}

/// Keeps what is logged.
pub struct Recorder {
    logs: Arc<Logs>,
}

impl Level {
    /// The level of a name.
    pub fn read(name: &str) -> Option<Self> {
        match name {
            "trace" => Some(Self::Trace),
            "debug" => Some(Self::Debug),
            "info" => Some(Self::Info),
            "warn" | "warning" => Some(Self::Warn),
            "error" => Some(Self::Error),
            _ => None,
        }
    }
}

impl From<tracing::Level> for Level {
    fn from(level: tracing::Level) -> Self {
        match level {
            tracing::Level::ERROR => Self::Error,
            tracing::Level::WARN => Self::Warn,
            tracing::Level::INFO => Self::Info,
            tracing::Level::DEBUG => Self::Debug,
            tracing::Level::TRACE => Self::Trace,
        }
    }
}

/// Keeps as many lines as the default settings say.
impl Default for Logs {
    fn default() -> Self {
        Self::new(LogConfig::default().recent)
    }
}

impl Logs {
    /// Keeps so many lines.
    pub fn new(most: usize) -> Self {
        Self { kept: Mutex::default(), most, new: broadcast::Sender::new(BEHIND) }
    }

    /// Keeps one more line, which gets the next number, and shows it to those who follow.
    pub fn keep(&self, line: Line) {
        let mut kept = self.kept.lock();
        kept.last += 1;
        let line = Arc::new(Line { id: kept.last, ..line });
        kept.lines.push_back(Arc::clone(&line));
        while kept.lines.len() > self.most {
            kept.lines.pop_front();
        }
        // Under the lock, so that lines come in order. Nobody may follow.
        let _ = self.new.send(line);
    }

    /// The latest lines of at least this level, the oldest first.
    pub fn latest(&self, most: usize, level: Level) -> Vec<Arc<Line>> {
        Self::pick(&self.kept.lock(), most, level)
    }

    /// The latest lines, and those that come after them: none is missed between.
    pub fn follow(
        &self,
        most: usize,
        level: Level,
    ) -> (Vec<Arc<Line>>, broadcast::Receiver<Arc<Line>>) {
        let kept = self.kept.lock();
        (Self::pick(&kept, most, level), self.new.subscribe())
    }

    fn pick(kept: &Kept, most: usize, level: Level) -> Vec<Arc<Line>> {
        let fitting = kept.lines.iter().rev().filter(|line| line.level >= level);
        let mut lines: Vec<_> = fitting.take(most).map(Arc::clone).collect();
        lines.reverse();
        lines
    }
}

impl Recorder {
    /// Keeps it there.
    pub fn new(logs: Arc<Logs>) -> Self {
        Self { logs }
    }
}

impl<S: Subscriber> Layer<S> for Recorder {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut said = Said::default();
        event.record(&mut said);
        let metadata = event.metadata();
        self.logs.keep(Line {
            id: 0,
            timestamp: now(),
            level: (*metadata.level()).into(),
            target: metadata.target().to_owned(),
            message: said.message,
            fields: said.fields,
        });
    }
}

fn now() -> String {
    let mut text = String::new();
    // A string takes whatever is written.
    let _ = SystemTime.format_time(&mut Writer::new(&mut text));
    text
}

#[derive(Default)]
struct Said {
    message: String,
    fields: Map<String, Value>,
}

impl Said {
    fn text(&mut self, field: &Field, text: String) {
        let text = cut(text);
        if field.name() == "message" {
            self.message = text;
        } else {
            self.value(field, text);
        }
    }

    fn value(&mut self, field: &Field, value: impl Into<Value>) {
        self.fields.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.text(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value.to_owned());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.value(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.value(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.value(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.value(field, value);
    }
}

fn cut(mut text: String) -> String {
    if text.len() > LONGEST {
        text.truncate(text.floor_char_boundary(LONGEST));
        text.push('…');
    }
    text
}

impl Debug for Logs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logs").field("most", &self.most).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::layer::SubscriberExt;

    fn logged(most: usize, say: impl FnOnce()) -> Arc<Logs> {
        let logs = Arc::new(Logs::new(most));
        let recorder = Recorder::new(Arc::clone(&logs));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(recorder), say);
        logs
    }

    #[test]
    fn a_line_says_when_who_what_and_about_what() {
        let logs = logged(10, || {
            tracing::warn!(target: "warren::audit", connection = %"a -> b", channel = 7_u64, ok = true, "gone: {}", "why");
        });
        let lines = logs.latest(10, Level::Trace);
        let line = serde_json::to_value(&*lines[0]).expect("JSON");
        assert_eq!(line["id"], 1);
        assert_eq!(line["level"], "warn");
        assert_eq!(line["target"], "warren::audit");
        assert_eq!(line["message"], "gone: why");
        let fields = serde_json::json!({"connection": "a -> b", "channel": 7, "ok": true});
        assert_eq!(line["fields"], fields);
        let timestamp = line["timestamp"].as_str().expect("a text");
        assert!(timestamp.starts_with("20") && timestamp.ends_with('Z'), "{timestamp}");
    }

    #[test]
    fn the_latest_are_kept_and_long_ones_are_cut() {
        let logs = logged(3, || {
            for number in 0..9 {
                tracing::info!(number, "{}", "ä".repeat(4000));
            }
            tracing::error!("last");
        });
        let lines = logs.latest(100, Level::Trace);
        assert_eq!(lines.iter().map(|line| line.id).collect::<Vec<_>>(), [8, 9, 10]);
        assert!(lines[0].message.len() <= LONGEST + '…'.len_utf8());
        assert_eq!(logs.latest(1, Level::Trace)[0].message, "last");
        assert_eq!(logs.latest(100, Level::Warn).len(), 1, "only what is that bad");
    }

    #[test]
    fn who_follows_misses_nothing_and_sees_nothing_twice() {
        let logs = logged(3, || tracing::info!("before"));
        let (before, mut after) = logs.follow(3, Level::Info);
        assert_eq!(before.len(), 1);
        let next = Line { message: "after".into(), ..(*before[0]).clone() };
        logs.keep(next);
        let next = after.try_recv().expect("it has come");
        assert_eq!((next.id, next.message.as_str()), (2, "after"));
        assert!(after.try_recv().is_err());
    }
}
