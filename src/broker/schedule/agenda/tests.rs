use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;

use super::memory::InMemory;
use super::*;

/// Files in memory, which may fail.
#[derive(Debug, Default)]
struct Files {
    full: Arc<AtomicBool>,
    unreadable: Arc<AtomicBool>,
}

#[derive(Debug)]
struct File {
    file: InMemory,
    full: Arc<AtomicBool>,
    unreadable: Arc<AtomicBool>,
}

fn unless(failing: &AtomicBool) -> io::Result<()> {
    if failing.load(Ordering::Relaxed) {
        Err(io::Error::other("as the test wants"))
    } else {
        Ok(())
    }
}

impl Scratch for Files {
    fn create(&self) -> io::Result<Box<dyn ScratchFile>> {
        let (full, unreadable) = (Arc::clone(&self.full), Arc::clone(&self.unreadable));
        Ok(Box::new(File { file: InMemory::default(), full, unreadable }))
    }
}

impl ScratchFile for File {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        unless(&self.full)?;
        self.file.write_at(bytes, offset)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        unless(&self.unreadable)?;
        self.file.read_at(bytes, offset)
    }
}

const TINY: Limits = Limits { fresh: 3, near: 4, block: 2, runs: 3, merged: 3, cancelled: 4 };

#[derive(Clone, Debug)]
enum Command {
    Insert(u64),
    Remove(usize),
    Take(u64, usize),
    List(usize, usize),
    BeginMerge,
    EndMerge,
    Fail { full: bool, unreadable: bool },
}

fn command() -> impl Strategy<Value = Command> {
    // Some times close together, some far apart, some as far as can be.
    let time = prop_oneof![0u64..50, 0u64..500_000, Just(u64::MAX), Just(1 << 40)];
    prop_oneof![
        12 => time.clone().prop_map(Command::Insert),
        3 => any::<usize>().prop_map(Command::Remove),
        2 => (time, 0usize..5).prop_map(|(now, most)| Command::Take(now, most)),
        2 => (any::<usize>(), 0usize..6).prop_map(|(after, most)| Command::List(after, most)),
        2 => Just(Command::BeginMerge),
        2 => Just(Command::EndMerge),
        1 => any::<(bool, bool)>().prop_map(|(full, unreadable)| Command::Fail { full, unreadable }),
        1 => Just(Command::Fail { full: false, unreadable: false }),
    ]
}

impl Agenda {
    fn validate(&self) {
        let in_runs: usize = self.runs.iter().map(Cursor::left).sum();
        let in_memory = self.near.len() + self.fresh.len();
        assert_eq!(self.len, in_memory + in_runs - self.cancelled.len());
        assert!(self.near.len() <= self.limits.near && self.fresh.len() < self.limits.fresh);
        assert_eq!(self.fresh_first, self.fresh.iter().min().copied());
        for due in &self.cancelled {
            assert!(self.runs.iter().any(|run| run.head() <= *due));
        }
    }
}

fn nth(model: &BTreeSet<Due>, nth: usize) -> Option<Due> {
    model.iter().nth(nth % (model.len() + 1)).copied()
}

fn as_a_sorted_set(commands: Vec<Command>, limits: Limits) -> Result<(), TestCaseError> {
    let files = Files::default();
    let (full, unreadable) = (Arc::clone(&files.full), Arc::clone(&files.unreadable));
    let mut agenda = Agenda::with(Arc::new(files), limits);
    let (mut model, mut merge) = (BTreeSet::new(), None);
    for (position, command) in (0..).zip(commands) {
        let unread = unreadable.load(Ordering::Relaxed);
        match command {
            Command::Insert(at) => {
                agenda.insert(Due { at, position });
                model.insert(Due { at, position });
            }
            Command::Remove(which) => {
                let due = nth(&model, which).unwrap_or(Due { at: 7, position });
                match agenda.remove(due) {
                    Ok(removed) => prop_assert_eq!(removed, model.remove(&due)),
                    Err(_) => prop_assert!(unread),
                }
            }
            Command::Take(now, most) => {
                let due = model.iter().copied().filter(|due| due.at <= now);
                let due: Vec<_> = due.take(most).collect();
                let mut taken = Vec::new();
                let all = agenda.take_due(now, most, &mut taken);
                model.retain(|due| !taken.contains(due));
                prop_assert!(all.is_ok() || unread);
                prop_assert_eq!(
                    &taken[..],
                    if all.is_ok() { &due[..] } else { &due[..taken.len()] }
                );
            }
            Command::List(which, most) => {
                let after = nth(&model, which);
                let behind = model.iter().copied();
                let behind = behind.filter(|due| after.is_none_or(|after| *due > after));
                match agenda.look(after, most).read() {
                    Ok(listed) => prop_assert_eq!(listed, behind.take(most).collect::<Vec<_>>()),
                    Err(_) => prop_assert!(unread),
                }
            }
            Command::BeginMerge => {
                if let Some(begun) = agenda.begin_merge() {
                    prop_assert!(merge.replace(begun).is_none());
                }
            }
            Command::EndMerge => {
                if let Some(merge) = merge.take() {
                    let failing = unread || full.load(Ordering::Relaxed);
                    let done = agenda.merged(&merge, merge.carry_out());
                    prop_assert!(done.is_ok() || failing);
                }
            }
            Command::Fail { full: no_room, unreadable: unread } => {
                full.store(no_room, Ordering::Relaxed);
                unreadable.store(unread, Ordering::Relaxed);
            }
        }
        agenda.validate();
        prop_assert_eq!(agenda.len(), model.len());
        // Cancelled ones may be in front.
        let first = model.first().map(|due| due.at);
        prop_assert!(agenda.next() <= first || first.is_none());
        prop_assert!(agenda.next() == first || !agenda.cancelled.is_empty());
    }
    Ok(())
}

proptest! {
    #[test]
    fn it_is_a_sorted_set(commands in prop::collection::vec(command(), 0..200)) {
        as_a_sorted_set(commands, TINY)?;
    }

    #[test]
    fn it_is_a_sorted_set_in_memory(commands in prop::collection::vec(command(), 0..80)) {
        as_a_sorted_set(commands, LIMITS)?;
    }
}

/// An agenda with tiny limits in which all times up to `count` are due, in a mixed order.
fn filled(count: u64) -> (Agenda, Arc<AtomicBool>) {
    let files = Files::default();
    let full = Arc::clone(&files.full);
    let mut agenda = Agenda::with(Arc::new(files), TINY);
    (0..count).for_each(|nth| agenda.insert(Due { at: nth * 7 % count, position: nth }));
    (agenda, full)
}

fn merge(agenda: &mut Agenda) -> bool {
    let Some(merge) = agenda.begin_merge() else { return false };
    agenda.merged(&merge, merge.carry_out()).expect("the test lets it");
    true
}

#[test]
fn memory_and_the_number_of_runs_are_bounded() {
    let (mut agenda, _) = filled(0);
    for nth in 0..1000 {
        agenda.insert(Due { at: nth * 7 % 1000, position: nth });
        merge(&mut agenda);
        agenda.validate();
        assert!(agenda.runs.len() <= TINY.runs);
    }
    let mut taken = Vec::new();
    agenda.take_due(500, usize::MAX, &mut taken).expect("it can be read");
    assert!(taken.is_sorted() && taken.len() == 501);
    assert!(agenda.runs.iter().all(|run| run.head().at > 500), "each goes on behind what is due");
}

#[test]
fn while_nothing_can_be_written_it_stays_in_memory() {
    let (mut agenda, full) = filled(0);
    full.store(true, Ordering::Relaxed);
    (0..20).for_each(|nth| agenda.insert(Due { at: nth, position: nth }));
    assert!(agenda.failing && agenda.len() == 20);
    full.store(false, Ordering::Relaxed);
    (20..23).for_each(|nth| agenda.insert(Due { at: nth, position: nth }));
    assert!(!agenda.failing, "it is tried again");
    let mut taken = Vec::new();
    agenda.take_due(u64::MAX, usize::MAX, &mut taken).expect("it can be read");
    assert!(taken.iter().map(|due| due.at).eq(0..23));
}

#[test]
fn what_was_cancelled_leaves_with_a_merge() {
    let (mut agenda, _) = filled(20);
    while merge(&mut agenda) {}
    let mut cancelled = 0;
    for position in 0..20 {
        let due = Due { at: position * 7 % 20, position };
        assert!(agenda.remove(due).expect("it can be read"));
        assert!(!agenda.remove(due).expect("it can be read"), "once");
        cancelled += usize::from(merge(&mut agenda));
    }
    assert!(cancelled > 1, "merged for what was cancelled");
    assert!(agenda.len() == 0 && agenda.cancelled.len() <= TINY.cancelled);
}

#[test]
fn a_merge_that_failed_is_tried_again_with_the_next_run() {
    let (mut agenda, full) = filled(20);
    let merge = agenda.begin_merge().expect("there are many");
    full.store(true, Ordering::Relaxed);
    assert!(agenda.merged(&merge, merge.carry_out()).is_err());
    assert!(!agenda.wants_merge(), "not at once");
    full.store(false, Ordering::Relaxed);
    (20..30).for_each(|nth| agenda.insert(Due { at: nth, position: nth }));
    assert!(agenda.wants_merge());
}

#[test]
fn a_block_that_was_changed_is_not_believed() {
    #[derive(Debug)]
    struct Forgetful;
    impl ScratchFile for Forgetful {
        fn write_at(&self, _: &[u8], _: u64) -> io::Result<()> {
            Ok(())
        }
        fn read_at(&self, _: &mut [u8], _: u64) -> io::Result<()> {
            Ok(())
        }
    }
    impl Scratch for Forgetful {
        fn create(&self) -> io::Result<Box<dyn ScratchFile>> {
            Ok(Box::new(Self))
        }
    }
    let mut agenda = Agenda::with(Arc::new(Forgetful), TINY);
    (1..10).for_each(|nth| agenda.insert(Due { at: nth, position: nth }));
    let mut taken = Vec::new();
    assert!(agenda.take_due(u64::MAX, 100, &mut taken).is_err());
    assert!(taken.is_sorted() && taken.len() + agenda.len() == 9, "none is lost");
}
