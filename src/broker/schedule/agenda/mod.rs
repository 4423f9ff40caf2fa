//! Which message is due when: bounded memory, however many there are.
//!
//! What comes is gathered as it comes, up to some 32,000; then it is put in order and written to disk as
//! a sorted run ([`run`]), of which memory holds the first entry of each block, and one block while it is
//! being taken from. What is due soon stands in an ordered set in memory. Whoever wants the first of all
//! looks at the set, at the head of each run, and at the first of those that are just gathered: when
//! these have their turn, the earlier half of them joins the set. Many runs are merged into one
//! ([`merge`]): what has passed takes no room any more, and a look at all heads stays short.
//!
//! An agenda does not know where its runs lie: a [`Scratch`] makes the files. They are worth nothing
//! after a restart. While one cannot be written, what should be in it stays in memory ([`memory`]).

mod memory;
mod merge;
mod run;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use memory::Memory;
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
    /// Gathered as they come, before they are written to a run.
    fresh: usize,
    /// In the ordered set; half as many are written to a run. So many take some 1.6 MB.
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

const LIMITS: Limits = Limits {
    fresh: 32 << 10,
    near: 64 << 10,
    block: 1 << 10,
    runs: 48,
    merged: 16,
    cancelled: 16 << 10,
};

/// Messages in the order in which they are due; of those due together, first come, first served.
#[derive(Debug)]
pub(super) struct Agenda {
    limits: Limits,
    scratch: Arc<dyn Scratch>,
    /// What came last, in no order; nothing in front of `border` comes here.
    fresh: Vec<Due>,
    /// The first of them.
    fresh_first: Option<Due>,
    /// Many that are due soon.
    near: BTreeSet<Due>,
    /// What comes in front of this joins `near` at once.
    border: Due,
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
        Self::with(Arc::new(Memory), LIMITS)
    }
}

impl Agenda {
    /// An agenda that writes to a scratch what is too much for memory.
    pub(super) fn on(scratch: Arc<dyn Scratch>) -> Self {
        Self::with(scratch, LIMITS)
    }

    fn with(scratch: Arc<dyn Scratch>, limits: Limits) -> Self {
        Self {
            limits,
            scratch,
            fresh: Vec::new(),
            fresh_first: None,
            near: BTreeSet::new(),
            border: Due::FIRST,
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
    #[inline]
    pub(super) fn insert(&mut self, due: Due) {
        self.len += 1;
        if due < self.border {
            self.near.insert(due);
            if self.near.len() > self.limits.near {
                self.spill_near();
            }
            return;
        }
        self.fresh.push(due);
        self.fresh_first = Some(self.fresh_first.map_or(due, |first| first.min(due)));
        if self.fresh.len() == self.limits.fresh {
            self.spill_fresh();
        }
    }

    /// Writes what was gathered to a run.
    fn spill_fresh(&mut self) {
        let mut fresh = std::mem::take(&mut self.fresh);
        self.fresh_first = None;
        fresh.sort_unstable();
        self.spill(&fresh);
        fresh.clear();
        self.fresh = fresh;
    }

    /// Writes those of `near` that are due last to a run.
    fn spill_near(&mut self) {
        let Some(&from) = self.near.iter().nth_back(self.limits.near / 2 - 1) else { return };
        let later: Vec<Due> = self.near.split_off(&from).into_iter().collect();
        self.border = from;
        self.spill(&later);
    }

    fn spill(&mut self, dues: &[Due]) {
        let block = self.limits.block;
        let run = match write(&*self.scratch, block, dues) {
            Ok(run) => {
                self.failing = false;
                if self.merging == Merging::Later {
                    self.merging = Merging::Possible;
                }
                run
            }
            Err(why) => {
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::error!(
                        "when messages are due stays in memory: cannot write it: {why}"
                    );
                }
                write(&Memory, block, dues).expect("nothing fails there")
            }
        };
        self.runs.extend(Cursor::at_front(run));
    }

    /// The earlier half of what was gathered joins those that are due soon.
    fn join(&mut self) {
        self.fresh.sort_unstable();
        let later = self.fresh.split_off(self.fresh.len().div_ceil(2));
        if let Some(last) = self.fresh.last() {
            self.border = last.next();
        }
        self.near.extend(self.fresh.drain(..));
        self.fresh.extend(later.iter().copied());
        self.fresh_first = later.first().copied();
        if self.near.len() > self.limits.near {
            self.spill_near();
        }
    }

    /// Removes a message; false if it is not there.
    pub(super) fn remove(&mut self, due: Due) -> io::Result<bool> {
        let mut there = self.near.remove(&due) || self.remove_fresh(due);
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

    fn remove_fresh(&mut self, due: Due) -> bool {
        let Some(place) = self.fresh.iter().position(|fresh| *fresh == due) else { return false };
        self.fresh.swap_remove(place);
        self.fresh_first = self.fresh.iter().min().copied();
        true
    }

    /// When the first one is due, or one in front of it that was cancelled.
    pub(super) fn next(&self) -> Option<u64> {
        let runs = self.runs.iter().map(Cursor::head);
        runs.chain(self.near.first().copied()).chain(self.fresh_first).min().map(|due| due.at)
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
            let fresh = self.fresh_first.filter(|fresh| fresh.at <= now);
            if let Some(fresh) = fresh
                && near.is_none_or(|near| fresh < *near)
                && run.is_none_or(|(_, head)| fresh < head)
            {
                self.join();
                continue;
            }
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
        let mut near: Vec<Due> = self.near.range(from..).take(most).copied().collect();
        near.extend(self.fresh.iter().filter(|due| **due >= from));
        near.sort_unstable();
        near.truncate(most);
        Look {
            near,
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
        if !self.wants_merge() {
            return None;
        }
        let mut runs: Vec<&Cursor> = self.runs.iter().collect();
        if self.cancelled.len() <= self.limits.cancelled {
            runs.sort_by_key(|run| run.left());
            runs.truncate(self.limits.merged);
        }
        let inputs = runs.into_iter().map(|run| run.rest(Due::FIRST)).collect();
        self.merging = Merging::UnderWay;
        let scratch = Arc::clone(&self.scratch);
        Some(Merge::new(scratch, inputs, self.cancelled.clone(), self.limits.block))
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
fn write(scratch: &dyn Scratch, block: usize, dues: &[Due]) -> io::Result<Arc<Run>> {
    let mut run = Writer::new(scratch.create()?, block);
    for due in dues {
        run.push(*due)?;
    }
    run.finish()
}
