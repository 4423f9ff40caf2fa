//! How often somebody tried to come in, and whether they could.

use std::collections::BTreeMap;
use std::net::IpAddr;

use parking_lot::Mutex;

/// How many sources are told apart; beyond it new ones are only counted by protocol.
const SOURCES: usize = 10_000;

/// Attempts to log in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attempts {
    /// Those that led in.
    pub succeeded: u64,
    /// Those that did not.
    pub failed: u64,
}

/// Where attempts came from, if that is tracked (`auth.track_attempt_source`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    /// `amqp091` or `http`.
    pub protocol: &'static str,
    /// The address.
    pub address: IpAddr,
    /// The name that was tried; empty if none could be read.
    pub user: String,
}

/// Counts attempts.
#[derive(Default)]
pub(super) struct Counters {
    counted: Mutex<Counted>,
    track_sources: bool,
}

#[derive(Default)]
struct Counted {
    by_protocol: BTreeMap<&'static str, Attempts>,
    by_source: BTreeMap<Source, Attempts>,
}

impl Attempts {
    fn add(&mut self, success: bool) {
        if success {
            self.succeeded += 1;
        } else {
            self.failed += 1;
        }
    }
}

impl Counters {
    pub(super) fn new(track_sources: bool) -> Self {
        Self { track_sources, ..Self::default() }
    }

    pub(super) fn count(&self, source: Source, success: bool) {
        let mut counted = self.counted.lock();
        counted.by_protocol.entry(source.protocol).or_default().add(success);
        if !self.track_sources {
            return;
        }
        if counted.by_source.len() < SOURCES || counted.by_source.contains_key(&source) {
            counted.by_source.entry(source).or_default().add(success);
        }
    }

    pub(super) fn by_protocol(&self) -> Vec<(&'static str, Attempts)> {
        self.counted.lock().by_protocol.iter().map(|(protocol, each)| (*protocol, *each)).collect()
    }

    pub(super) fn by_source(&self) -> Vec<(Source, Attempts)> {
        self.counted.lock().by_source.iter().map(|(at, each)| (at.clone(), *each)).collect()
    }

    pub(super) fn forget(&self) {
        *self.counted.lock() = Counted::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(user: &str) -> Source {
        Source { protocol: "amqp091", address: [192, 0, 2, 1].into(), user: user.into() }
    }

    #[test]
    fn attempts_are_counted_by_protocol_and_by_source() {
        let counters = Counters::new(true);
        counters.count(source("anna"), true);
        counters.count(source("anna"), false);
        counters.count(source("otto"), false);
        assert_eq!(counters.by_protocol(), [("amqp091", Attempts { succeeded: 1, failed: 2 })]);
        let of_anna = Attempts { succeeded: 1, failed: 1 };
        assert_eq!(counters.by_source()[0], (source("anna"), of_anna));
        counters.forget();
        assert!(counters.by_protocol().is_empty() && counters.by_source().is_empty());
    }

    #[test]
    fn sources_are_told_apart_only_if_that_is_wanted_and_not_without_end() {
        let counters = Counters::new(false);
        counters.count(source("anna"), true);
        assert!(counters.by_source().is_empty());
        let counters = Counters::new(true);
        for number in 0..SOURCES + 5 {
            counters.count(source(&number.to_string()), false);
        }
        assert_eq!(counters.by_source().len(), SOURCES);
        assert_eq!(counters.by_protocol()[0].1.failed as usize, SOURCES + 5);
    }
}
