//! What an operator asks of the broker as a whole: to let nobody in for a while, to log more or
//! less, to end. Whoever can do it watches.

use tokio::sync::watch;

/// Wishes of operators.
pub struct Control {
    accepting: watch::Sender<bool>,
    log_level: watch::Sender<Option<String>>,
    ending: watch::Sender<bool>,
}

impl Default for Control {
    fn default() -> Self {
        Self {
            accepting: watch::Sender::new(true),
            log_level: watch::Sender::new(None),
            ending: watch::Sender::new(false),
        }
    }
}

impl Control {
    /// Whether AMQP clients may connect.
    pub fn is_accepting(&self) -> bool {
        *self.accepting.borrow()
    }

    /// Lets AMQP clients connect, or not. Those that are there stay.
    pub fn accept(&self, accepting: bool) {
        self.accepting.send_replace(accepting);
    }

    /// Waits until clients may, or may not, connect.
    pub async fn accepting(&self, wanted: bool) {
        // The sender lives as long as this, so that it cannot be gone.
        let _ = self.accepting.subscribe().wait_for(|accepting| *accepting == wanted).await;
    }

    /// Asks for other log lines: a level, or levels by target.
    pub fn set_log_level(&self, directives: String) {
        self.log_level.send_replace(Some(directives));
    }

    /// Sees each change of the log level.
    pub fn log_levels(&self) -> watch::Receiver<Option<String>> {
        self.log_level.subscribe()
    }

    /// Asks the process to end as on SIGTERM.
    pub fn end(&self) {
        self.ending.send_replace(true);
    }

    /// Waits until that is asked.
    pub async fn end_asked(&self) {
        let _ = self.ending.subscribe().wait_for(|ending| *ending).await;
    }
}
