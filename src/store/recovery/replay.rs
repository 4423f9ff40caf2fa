//! One log file, read from its front.

use crate::store::format::file_header::LEN;
use crate::store::format::read::{Flaw, Found, Raw, View, look};
use crate::store::format::record::{Kind, MARK, flag};

/// What reading a log file came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Replayed {
    /// Where its records end.
    pub(crate) end: u64,
    /// The highest position of a record in it.
    pub(crate) last: u64,
    /// What its last mark says is the oldest file still needed.
    pub(crate) oldest: u64,
    /// How many records.
    pub(crate) records: u64,
}

/// A place where a log file is not as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Damage {
    pub(crate) offset: u64,
    pub(crate) flaw: Flaw,
    /// Where to go on if one has to; `None` = nowhere in this file.
    pub(crate) resume: Option<u64>,
}

/// Reads records from `from` on and gives each that counts, with its place, to `apply`.
///
/// The records of a closed file reach to `end`. Those of the newest one end where nothing valid
/// follows: a write that was under way when the power went. It is damage all the same if a later
/// mark says that the bytes were on the disk.
pub(crate) fn replay<'a>(
    bytes: &'a [u8],
    seed: u32,
    from: u64,
    end: Option<u64>,
    mut apply: impl FnMut(&Raw<'a>, u64) -> Result<(), Flaw>,
) -> (Replayed, Option<Damage>) {
    let mut at = from as usize;
    let mut group = None;
    let mut done = Replayed { end: from, ..Replayed::default() };
    let limit = end.map_or(bytes.len(), |end| bytes.len().min(end as usize));
    let broken = loop {
        let raw = match look(bytes.get(at..limit).unwrap_or_default(), seed) {
            Found::Record(raw) => raw,
            Found::End if end == Some(at as u64) => return (done, None),
            Found::End => break Flaw::Ends,
            Found::Bad(flaw) => break flaw,
        };
        let applied = match raw.view() {
            Ok(View::Mark { oldest, .. }) => {
                done.oldest = oldest;
                Ok(())
            }
            Ok(_) if raw.has(flag::GROUP) && !raw.has(flag::GROUP_END) => {
                group.get_or_insert(at);
                Ok(())
            }
            Ok(_) => {
                // What is open and goes on with something else has lost its end.
                let open = group.take().filter(|_| raw.has(flag::GROUP_END));
                let mut each = open.unwrap_or(at);
                loop {
                    let Found::Record(raw) = look(&bytes[each..limit], seed) else { break Ok(()) };
                    if let Err(flaw) = apply(&raw, each as u64) {
                        break Err(flaw);
                    }
                    each += raw.padded_len();
                    if each > at {
                        break Ok(());
                    }
                }
            }
            Err(flaw) => Err(flaw),
        };
        if let Err(flaw) = applied {
            let (_, resume) = later_marks(bytes, seed, at, limit);
            return (done, Some(Damage { offset: at as u64, flaw, resume }));
        }
        done.last = done.last.max(raw.lsn);
        done.records += 1;
        at += raw.padded_len();
        done.end = at as u64;
    };
    let offset = at as u64;
    let (claim, resume) = later_marks(bytes, seed, at, limit);
    let torn = end.is_none() && claim <= offset;
    (done, (!torn).then_some(Damage { offset, flaw: broken, resume }))
}

/// Looks for marks behind a place: how many bytes they say were on the disk, and where the first
/// of them stands.
fn later_marks(bytes: &[u8], seed: u32, after: usize, limit: usize) -> (u64, Option<u64>) {
    let (mut claim, mut first) = (0, None);
    let mut at = (after + 1).next_multiple_of(8);
    while at + MARK <= limit {
        let head = &bytes[at..at + 9];
        if head[0] == MARK as u8
            && head[8] == Kind::Mark as u8
            && head[1..4] == [0; 3]
            && let Found::Record(raw) = look(&bytes[at..limit], seed)
            && let Ok(View::Mark { synced, .. }) = raw.view()
        {
            claim = claim.max(synced);
            first.get_or_insert(at as u64);
        }
        at += 8;
    }
    (claim, first)
}

/// Whether a file without a sound header was in use: some mark in it says that bytes were safe.
pub(crate) fn was_in_use(bytes: &[u8], seed: u32) -> bool {
    later_marks(bytes, seed, LEN.min(bytes.len()), bytes.len()).0 > 0
}
