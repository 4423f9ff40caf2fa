//! What the broker tells about itself: lines on standard error, and the latest of them in memory for
//! whoever looks on over HTTP.
//!
//! [`init`] is called once in a process, by `main`; an embedded broker leaves it to its host and has
//! no recent lines. Knows nothing of the broker.

mod recent;

use std::io::{self, IsTerminal};
use std::sync::Arc;

use tracing_subscriber::filter::ParseError;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt, registry, reload};

use crate::config::{LogConfig, LogFormat};
pub use recent::{Level, Line, Logs, Recorder};

/// Why levels cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadLevel {
    /// They cannot be read.
    #[error("log.level = {level:?}: {why}")]
    Unreadable {
        /// What was said.
        level: String,
        /// What is wrong with it.
        why: ParseError,
    },
    /// Nobody logs any more.
    #[error("the log is gone")]
    Gone(#[from] reload::Error),
}

/// Changes what is logged, by directives such as `debug` or `info,warren::net=debug`.
pub type SetLevel = Box<dyn Fn(&str) -> Result<(), BadLevel> + Send + Sync>;

/// Logs from now on, and keeps the latest lines.
pub fn init(config: &LogConfig) -> Result<(Arc<Logs>, SetLevel), BadLevel> {
    let logs = Arc::new(Logs::new(config.recent));
    let (filter, handle) = reload::Layer::new(read(&config.level)?);
    let lines = fmt::layer().with_ansi(io::stderr().is_terminal()).with_writer(io::stderr);
    let lines = match config.format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    registry().with(filter).with(lines).with(Recorder::new(Arc::clone(&logs))).init();
    Ok((logs, Box::new(move |level| Ok(handle.reload(read(level)?)?))))
}

fn read(level: &str) -> Result<EnvFilter, BadLevel> {
    EnvFilter::try_new(level).map_err(|why| BadLevel::Unreadable { level: level.into(), why })
}
