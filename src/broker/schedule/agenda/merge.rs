//! Several runs become one. That takes as long as it takes to read and write them, so it is done
//! beside the agenda, which goes on with the runs as they are until the new one takes their place.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use super::run::{Cursor, Run, Writer};
use super::{Due, Scratch};

/// Runs that are to be merged.
#[derive(Debug)]
pub(in crate::broker::schedule) struct Merge {
    scratch: Arc<dyn Scratch>,
    /// Each with where it begins.
    inputs: Vec<(Arc<Run>, Due)>,
    cancelled: BTreeSet<Due>,
    block: usize,
}

/// What became of them.
#[derive(Debug)]
pub(in crate::broker::schedule) struct Merged {
    pub(super) run: Arc<Run>,
    /// Those that were cancelled and are not in it.
    pub(super) dropped: Vec<Due>,
}

/// Several runs, read as one.
pub(super) struct Cursors(Vec<Cursor>);

impl Merge {
    pub(super) fn new(
        scratch: Arc<dyn Scratch>,
        inputs: Vec<(Arc<Run>, Due)>,
        cancelled: BTreeSet<Due>,
        block: usize,
    ) -> Self {
        Self { scratch, inputs, cancelled, block }
    }

    /// Whether this one's place is to be taken.
    pub(super) fn has(&self, cursor: &Cursor) -> bool {
        self.inputs.iter().any(|(run, _)| cursor.is_of(run))
    }

    /// Reads and writes files.
    pub(in crate::broker::schedule) fn carry_out(&self) -> io::Result<Merged> {
        let mut run = Writer::new(self.scratch.create()?, self.block);
        let mut inputs = Cursors::open(self.inputs.iter().cloned())?;
        let mut dropped = Vec::new();
        while let Some(due) = inputs.take()? {
            if self.cancelled.contains(&due) {
                dropped.push(due);
            } else {
                run.push(due)?;
            }
        }
        Ok(Merged { run: run.finish()?, dropped })
    }
}

impl Cursors {
    pub(super) fn open(runs: impl IntoIterator<Item = (Arc<Run>, Due)>) -> io::Result<Self> {
        let cursors = runs.into_iter().map(|(run, from)| Cursor::from(run, from));
        Ok(Self(cursors.filter_map(Result::transpose).collect::<io::Result<_>>()?))
    }

    /// The first of all.
    pub(super) fn head(&self) -> Option<Due> {
        self.0.iter().map(Cursor::head).min()
    }

    pub(super) fn take(&mut self) -> io::Result<Option<Due>> {
        let heads = self.0.iter().map(Cursor::head).enumerate();
        let Some((nth, due)) = heads.min_by_key(|(_, head)| *head) else { return Ok(None) };
        if !self.0[nth].pass()? {
            self.0.swap_remove(nth);
        }
        Ok(Some(due))
    }
}
