//! Messages, as they come, gathered into runs.

use crate::store::format::record::Place;
use crate::store::format::run::{MAX_BYTES, MAX_SPAN, Run, RunKey, none};

/// A run in a new segment.
#[derive(Clone, Debug)]
pub(crate) struct NewRun {
    pub(crate) key: RunKey,
    pub(crate) lasting: bool,
    pub(crate) run: Run,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Runs {
    segment: u64,
    runs: Vec<NewRun>,
    /// The positions in the last run, counted from its first.
    positions: Vec<u32>,
}

impl Runs {
    /// No runs yet.
    pub(crate) fn new(segment: u64) -> Self {
        Self { segment, runs: Vec::new(), positions: Vec::new() }
    }

    /// A message whose record stands at `offset`. They come in order of queue and position, and
    /// behind each other.
    pub(crate) fn push(
        &mut self,
        place: &Place,
        lasting: bool,
        offset: u64,
        bytes: u32,
        body: u32,
    ) {
        if !self.extends(place, lasting, offset, bytes) {
            self.close();
            let segment = self.segment;
            let key = RunKey { queue: place.queue, first: place.position, segment };
            let run = Run {
                segment,
                offset,
                bytes: 0,
                span: 0,
                stored: 0,
                live: 0,
                bodies: 0,
                timed: false,
                bits: None,
            };
            self.runs.push(NewRun { key, lasting, run });
        }
        if let Some(NewRun { key, run, .. }) = self.runs.last_mut() {
            run.bytes += bytes;
            run.span = (place.position - key.first) as u32;
            run.stored += 1;
            run.bodies += u64::from(body);
            run.timed |= place.expires.is_some();
            self.positions.push(run.span);
        }
    }

    /// All runs; everything in them is live.
    pub(crate) fn finish(&mut self) -> Vec<NewRun> {
        self.close();
        std::mem::take(&mut self.runs)
    }

    fn extends(&self, place: &Place, lasting: bool, offset: u64, bytes: u32) -> bool {
        self.runs.last().is_some_and(|NewRun { key, lasting: was, run }| {
            let span = place.position.checked_sub(key.first + u64::from(run.span));
            key.queue == place.queue
                && *was == lasting
                && span.is_some_and(|more| more + u64::from(run.span) <= MAX_SPAN.into())
                && run.offset + u64::from(run.bytes) == offset
                && run.bytes + bytes <= MAX_BYTES
        })
    }

    fn close(&mut self) {
        let Some(NewRun { run, .. }) = self.runs.last_mut() else { return };
        run.live = run.stored;
        if run.stored <= run.span {
            let mut bits = none(run.span);
            for position in &self.positions {
                bits[(position / 64) as usize] |= 1 << (position % 64);
            }
            run.bits = Some(bits);
        }
        self.positions.clear();
    }
}
