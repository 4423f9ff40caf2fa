//! Which message is due when: bounded memory, however many there are.
//!
//! Up to some 64,000 stand in an ordered set in memory. When there are more, the later half goes to
//! disk as a sorted run ([`run`]), of which memory holds where the first one stands that is still to
//! come, and one block at most. Whoever wants the first of all looks at the set and at the head of each
//! run. Many runs are merged into one ([`merge`]): what has passed takes no room any more, and a look
//! at all heads stays short.
//!
//! An agenda does not know where its runs lie: a [`Scratch`] makes the files. They are worth nothing
//! after a restart. Without one, or while one cannot be written, everything stays in memory.

mod merge;
mod run;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

pub(super) use merge::{Merge, Merged};
use run::{Cursor, Run, Writer};

/// A message's place in an agenda.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Due {
    /// When it is due, in milliseconds since 1970.
    pub at: u64,
    /// Where it stands among those that are stored.
    pub position: u64,
}

/// Makes files for what memory is not to hold.
pub(super) trait Scratch: std::fmt::Debug + Send + Sync {
    /// An empty file, which goes when it is dropped.
    fn create(&self) -> io::Result<Box<dyn ScratchFile>>;
}

/// A file that is gone after a restart.
pub(super) trait ScratchFile: std::fmt::Debug + Send + Sync {
    /// Writes all of `bytes`.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Fills `bytes`.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()>;
}

/// How much of an agenda may stand where.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// In memory; half as many are written to a run. A set of so many takes some 1.6 MB.
    near: usize,
    /// In a block of a run, which is what is read at a time.
    block: usize,
    /// Runs. Each may have a block in memory, and a file that is open.
    runs: usize,
    /// How many runs, the smallest ones, are made one when there are more.
    merged: usize,
    /// Those that were cancelled and stand in runs still. When there are more, all runs are merged.
    cancelled: usize,
}

const LIMITS: Limits =
    Limits { near: 64 << 10, block: 1 << 10, runs: 48, merged: 16, cancelled: 16 << 10 };

/// Messages in the order in which they are due; of those due together, first come, first served.
#[derive(Debug)]
pub(super) struct Agenda {
    limits: Limits,
    scratch: Option<Arc<dyn Scratch>>,
    /// Those that came last, and of all that ever came many that are due soon.
    near: BTreeSet<Due>,
    /// The next run is written when `near` has more than so many.
    spill_over: usize,
    /// What is still to come of each run; none is at its end.
    runs: Vec<Cursor>,
    /// Some of those in `runs` that are not to come.
    cancelled: BTreeSet<Due>,
    len: usize,
    merging: Merging,
    /// The last run could not be written.
    failing: bool,
}

/// Whether runs may be merged now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Merging {
    Possible,
    UnderWay,
    /// It has failed; it is tried again once another run is written.
    Later,
}

impl Due {
    const FIRST: Self = Self { at: 0, position: 0 };

    /// The first that may come behind this one.
    fn next(self) -> Self {
        Self { position: self.position.saturating_add(1), ..self }
    }
}

/// In memory.
impl Default for Agenda {
    fn default() -> Self {
        Self::with(None, LIMITS)
    }
}

impl Agenda {
    /// An agenda that writes to a scratch what is too much for memory.
    pub(super) fn on(scratch: Arc<dyn Scratch>) -> Self {
        Self::with(Some(scratch), LIMITS)
    }

    fn with(scratch: Option<Arc<dyn Scratch>>, limits: Limits) -> Self {
        Self {
            limits,
            scratch,
            near: BTreeSet::new(),
            spill_over: limits.near,
            runs: Vec::new(),
            cancelled: BTreeSet::new(),
            len: 0,
            merging: Merging::Possible,
            failing: false,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Adds a message, which must not have been there before.
    pub(super) fn insert(&mut self, due: Due) {
        self.near.insert(due);
        self.len += 1;
        if self.near.len() > self.spill_over
            && let Some(scratch) = &self.scratch
        {
            let scratch = Arc::clone(scratch);
            self.spill(&*scratch);
        }
    }

    /// Writes those of `near` that are due last to a run. If that cannot be done, they stay; it is tried
    /// again when as many more have come.
    fn spill(&mut self, scratch: &dyn Scratch) {
        let many = self.limits.near / 2;
        let Some(&from) = self.near.iter().nth_back(many - 1) else { return };
        match write(scratch, self.limits.block, self.near.range(from..)) {
            Ok(run) => {
                self.runs.extend(Cursor::at_front(run));
                self.near.split_off(&from);
                self.spill_over = self.limits.near;
                self.failing = false;
                if self.merging == Merging::Later {
                    self.merging = Merging::Possible;
                }
            }
            Err(why) => {
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::error!(
                        "when messages are due stays in memory: cannot write it: {why}"
                    );
                }
                self.spill_over = self.near.len() + many;
            }
        }
    }

    /// Removes a message; false if it is not there.
    pub(super) fn remove(&mut self, due: Due) -> io::Result<bool> {
        let mut there = self.near.remove(&due);
        if !there && !self.cancelled.contains(&due) {
            for run in &self.runs {
                there |= run.has(due)?;
            }
            if there {
                self.cancelled.insert(due);
            }
        }
        self.len -= usize::from(there);
        Ok(there)
    }

    /// When the first one is due, or one in front of it that was cancelled.
    pub(super) fn next(&self) -> Option<u64> {
        let runs = self.runs.iter().map(Cursor::head);
        runs.chain(self.near.first().copied()).min().map(|due| due.at)
    }

    /// Takes those that are due until `taken` has `most`. What cannot be read stays, with all behind it.
    pub(super) fn take_due(
        &mut self,
        now: u64,
        most: usize,
        taken: &mut Vec<Due>,
    ) -> io::Result<()> {
        while taken.len() < most
            && let Some(due) = self.take_first(now)?
        {
            taken.push(due);
        }
        Ok(())
    }

    fn take_first(&mut self, now: u64) -> io::Result<Option<Due>> {
        loop {
            let heads = self.runs.iter().map(Cursor::head).enumerate();
            let run = heads.min_by_key(|(_, head)| *head).filter(|(_, head)| head.at <= now);
            let near = self.near.first().filter(|near| near.at <= now);
            if let Some((nth, due)) = run
                && near.is_none_or(|near| due < *near)
            {
                if !self.runs[nth].pass()? {
                    self.runs.swap_remove(nth);
                }
                if self.cancelled.remove(&due) {
                    continue;
                }
                self.len -= 1;
                return Ok(Some(due));
            }
            let near = near.is_some().then(|| self.near.pop_first()).flatten();
            self.len -= usize::from(near.is_some());
            return Ok(near);
        }
    }

    /// A look at those that come behind `after`, `most` at most.
    pub(super) fn look(&self, after: Option<Due>, most: usize) -> Look {
        let from = after.map_or(Due::FIRST, Due::next);
        Look {
            near: self.near.range(from..).take(most).copied().collect(),
            runs: self.runs.iter().map(|run| run.rest(from)).collect(),
            cancelled: self.cancelled.range(from..).copied().collect(),
            most,
        }
    }

    /// Whether some runs should be merged.
    pub(super) fn wants_merge(&self) -> bool {
        let many = self.runs.len() > self.limits.runs;
        (many || self.cancelled.len() > self.limits.cancelled) && self.merging == Merging::Possible
    }

    /// What should be merged, if something should. Until it has been [`Self::merged`], nothing else is.
    pub(super) fn begin_merge(&mut self) -> Option<Merge> {
        let scratch = self.scratch.as_ref().filter(|_| self.wants_merge())?;
        let mut runs: Vec<&Cursor> = self.runs.iter().collect();
        if self.cancelled.len() <= self.limits.cancelled {
            runs.sort_by_key(|run| run.left());
            runs.truncate(self.limits.merged);
        }
        let inputs = runs.into_iter().map(|run| run.rest(Due::FIRST)).collect();
        self.merging = Merging::UnderWay;
        Some(Merge::new(Arc::clone(scratch), inputs, self.cancelled.clone(), self.limits.block))
    }

    /// Puts one run in the place of those that were merged.
    pub(super) fn merged(&mut self, merge: &Merge, done: io::Result<Merged>) -> io::Result<()> {
        self.merging = Merging::Later;
        let Merged { run, dropped } = done?;
        // Meanwhile some have been taken: all in front of those that are next.
        let replaced = self.runs.iter().filter(|run| merge.has(run));
        let next = replaced.map(Cursor::head).min();
        let cursor = match next {
            Some(next) => Cursor::from(run, next)?,
            None => None,
        };
        self.runs.retain(|run| !merge.has(run));
        self.runs.extend(cursor);
        for due in dropped {
            self.cancelled.remove(&due);
        }
        self.merging = Merging::Possible;
        Ok(())
    }
}

/// See [`Agenda::look`].
#[derive(Debug)]
pub(super) struct Look {
    near: Vec<Due>,
    runs: Vec<(Arc<Run>, Due)>,
    cancelled: BTreeSet<Due>,
    most: usize,
}

impl Look {
    /// Those that there were, in order. Reads files.
    pub(super) fn read(self) -> io::Result<Vec<Due>> {
        let mut near = self.near.into_iter().peekable();
        let mut runs = merge::Cursors::open(self.runs)?;
        let mut listed = Vec::new();
        while listed.len() < self.most {
            let next = match (near.peek(), runs.head()) {
                (Some(near), Some(head)) => head < *near,
                (None, head) => head.is_some(),
                (Some(_), None) => false,
            };
            let due = if next { runs.take()? } else { near.next() };
            let Some(due) = due else { break };
            if !self.cancelled.contains(&due) {
                listed.push(due);
            }
        }
        Ok(listed)
    }
}

/// Writes a run.
fn write<'a>(
    scratch: &dyn Scratch,
    block: usize,
    dues: impl Iterator<Item = &'a Due>,
) -> io::Result<Arc<Run>> {
    let mut run = Writer::new(scratch.create()?, block);
    for due in dues {
        run.push(*due)?;
    }
    run.finish()
}
