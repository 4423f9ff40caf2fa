//! A disk in memory that can lose its power.
//!
//! Every change counts as one operation. [`FakeDisk::crash_after`] lets so many happen and then
//! fails everything; [`FakeDisk::after_crash`] is the disk as one may find it then: what was
//! synced is there, of the rest any 512-byte sector and any first part of the changes of names.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use super::{Disk, DiskFile};
use crate::store::catalog::{Catalog, CatalogError, Change, Row, Tree};

const SECTOR: usize = 512;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct FakeDisk(Arc<Mutex<State>>);

#[derive(Debug)]
struct FakeFile {
    disk: FakeDisk,
    inode: usize,
}

#[derive(Debug, Default)]
struct State {
    inodes: Vec<Inode>,
    names: BTreeMap<PathBuf, usize>,
    safe_names: BTreeMap<PathBuf, usize>,
    unsafe_names: Vec<Renaming>,
    catalog: Rows,
    locks: BTreeSet<PathBuf>,
    operations: u64,
    syncs: u64,
    crash_after: Option<u64>,
    fail_syncs: bool,
    space: Option<usize>,
    /// How often room was asked for.
    demands: u64,
    /// Which of these are refused.
    refused: Range<u64>,
}

#[derive(Clone, Debug, Default)]
struct Inode {
    now: Vec<u8>,
    safe: Vec<u8>,
    pending: Vec<(usize, Vec<u8>)>,
}

/// The rows of a catalogue on this disk.
#[derive(Clone, Debug, Default)]
struct Rows {
    now: BTreeMap<RowKey, Vec<u8>>,
    safe: BTreeMap<RowKey, Vec<u8>>,
    pending: Vec<(RowKey, Option<Vec<u8>>)>,
}

type RowKey = (Tree, Vec<u8>);

/// A catalogue on a disk that can lose its power: of what was not synced, any first part is
/// there, be it in the middle of a batch.
#[derive(Clone, Debug)]
pub(crate) struct FakeCatalog(FakeDisk);

/// What happens at once: names and what they now stand for.
type Renaming = Vec<(PathBuf, Option<usize>)>;

struct Lock(FakeDisk, PathBuf);

impl Drop for Lock {
    fn drop(&mut self) {
        self.0.0.lock().locks.remove(&self.1);
    }
}

impl FakeDisk {
    /// The power goes after so many more operations.
    pub(crate) fn crash_after(&self, operations: u64) {
        let mut state = self.0.lock();
        state.crash_after = Some(state.operations + operations);
    }

    /// From now on every sync fails, or no longer.
    pub(crate) fn fail_syncs(&self, fail: bool) {
        self.0.lock().fail_syncs = fail;
    }

    /// From now on files may hold so many bytes together.
    pub(crate) fn limit_space(&self, bytes: Option<usize>) {
        self.0.lock().space = bytes;
    }

    /// There is no room for some of what will need any: for `times` demands, after `granted` more.
    pub(crate) fn refuse(&self, granted: u64, times: u64) {
        let mut state = self.0.lock();
        let first = state.demands + granted;
        state.refused = first..first + times;
    }

    /// How often something needed room.
    pub(crate) fn demands(&self) -> u64 {
        self.0.lock().demands
    }

    /// Whether room was asked for so often that the first refusal came.
    pub(crate) fn has_refused(&self) -> bool {
        let state = self.0.lock();
        state.demands > state.refused.start
    }

    /// How many changes it has seen.
    pub(crate) fn operations(&self) -> u64 {
        self.0.lock().operations
    }

    /// How many files it has synced.
    pub(crate) fn syncs(&self) -> u64 {
        self.0.lock().syncs
    }

    /// The same disk after the process died: all that was written is there.
    pub(crate) fn after_kill(&self) -> Self {
        let state = self.0.lock();
        let mut inodes = state.inodes.clone();
        for inode in &mut inodes {
            inode.pending.clear();
            inode.safe = inode.now.clone();
        }
        let names = state.names.clone();
        let catalog = Rows::of(state.catalog.now.clone());
        let new = State { inodes, safe_names: names.clone(), names, catalog, ..State::default() };
        Self(Arc::new(Mutex::new(new)))
    }

    /// The disk as it may be found after the power went; `dice` decides what survived.
    pub(crate) fn after_crash(&self, dice: u64) -> Self {
        let mut dice = Dice(dice.wrapping_mul(2).wrapping_add(1));
        let state = self.0.lock();
        let mut names = state.safe_names.clone();
        let kept = dice.below(state.unsafe_names.len() + 1);
        state.unsafe_names[..kept].iter().for_each(|renaming| apply_names(&mut names, renaming));
        let inodes = state.inodes.iter().map(|inode| inode.after_crash(&mut dice)).collect();
        let mut rows = state.catalog.safe.clone();
        let kept = dice.below(state.catalog.pending.len() + 1);
        state.catalog.pending[..kept].iter().for_each(|change| apply_row(&mut rows, change));
        let catalog = Rows::of(rows);
        let new = State { inodes, safe_names: names.clone(), names, catalog, ..State::default() };
        Self(Arc::new(Mutex::new(new)))
    }

    /// The catalogue on it.
    pub(crate) fn catalog(&self) -> FakeCatalog {
        FakeCatalog(self.clone())
    }

    /// Forgets the catalogue's rows.
    pub(crate) fn lose_catalog(&self) {
        self.0.lock().catalog = Rows::default();
    }

    /// How many rows the catalogue has in a tree.
    pub(crate) fn rows_in(&self, tree: Tree) -> usize {
        self.0.lock().catalog.now.keys().filter(|(each, _)| *each == tree).count()
    }

    /// A file's bytes as a program sees them.
    pub(crate) fn bytes(&self, path: &Path) -> Vec<u8> {
        let state = self.0.lock();
        state.inodes[state.names[path]].now.clone()
    }

    /// Changes a file behind the store's back.
    pub(crate) fn damage(&self, path: &Path, how: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.0.lock();
        let inode = state.names[path];
        let inode = &mut state.inodes[inode];
        how(&mut inode.now);
        inode.safe = inode.now.clone();
    }

    /// All files.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        self.0.lock().names.keys().cloned().collect()
    }
}

impl Inode {
    fn after_crash(&self, dice: &mut Dice) -> Self {
        let mut now = self.safe.clone();
        for (offset, bytes) in &self.pending {
            let mut at = 0;
            while at < bytes.len() {
                let until = ((offset + at) / SECTOR * SECTOR + SECTOR - offset).min(bytes.len());
                if dice.below(3) > 0 {
                    write(&mut now, offset + at, &bytes[at..until]);
                }
                at = until;
            }
        }
        Self { safe: now.clone(), now, pending: Vec::new() }
    }
}

impl State {
    fn operation(&mut self) -> io::Result<()> {
        self.operations += 1;
        self.powered(self.operations)
    }

    fn powered(&self, operations: u64) -> io::Result<()> {
        match self.crash_after {
            Some(limit) if operations > limit => Err(io::Error::other("the power is gone")),
            Some(_) | None => Ok(()),
        }
    }

    fn held(&self) -> usize {
        self.names.values().map(|inode| self.inodes[*inode].now.len()).sum()
    }

    /// Something needs room.
    fn demand(&mut self, bytes: usize) -> io::Result<()> {
        let demand = self.demands;
        self.demands += 1;
        let held = self.held();
        let full = self.space.is_some_and(|space| bytes > 0 && held + bytes > space);
        if full || self.refused.contains(&demand) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn name(&mut self, renaming: Renaming) {
        apply_names(&mut self.names, &renaming);
        self.unsafe_names.push(renaming);
    }

    fn find(&self, path: &Path) -> io::Result<usize> {
        self.powered(self.operations)?;
        let missing = || io::Error::new(io::ErrorKind::NotFound, "no such file");
        self.names.get(path).copied().ok_or_else(missing)
    }
}

impl Disk for FakeDisk {
    fn create_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Send + Sync>>> {
        let free = self.0.lock().locks.insert(path.into());
        Ok(free.then(|| Box::new(Lock(self.clone(), path.into())) as Box<dyn Send + Sync>))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.0.lock();
        state.operation()?;
        state.demand(0)?;
        let inode = state.inodes.len();
        state.inodes.push(Inode::default());
        state.name(vec![(path.into(), Some(inode))]);
        Ok(Arc::new(FakeFile { disk: self.clone(), inode }))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let inode = self.0.lock().find(path)?;
        Ok(Arc::new(FakeFile { disk: self.clone(), inode }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.0.lock();
        state.operation()?;
        let inode = state.find(from)?;
        state.name(vec![(from.into(), None), (to.into(), Some(inode))]);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.0.lock();
        state.operation()?;
        state.find(path)?;
        state.name(vec![(path.into(), None)]);
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let state = self.0.lock();
        state.powered(state.operations)?;
        let files = state.names.keys().filter(|path| path.parent() == Some(dir));
        Ok(files.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.0.lock();
        state.operation()?;
        let State { unsafe_names, safe_names, .. } = &mut *state;
        unsafe_names.retain(|renaming| {
            let here = renaming.iter().all(|(path, _)| path.parent() == Some(dir));
            if here {
                apply_names(safe_names, renaming);
            }
            !here
        });
        Ok(())
    }

    fn free(&self, _: &Path) -> io::Result<u64> {
        let state = self.0.lock();
        Ok(state.space.map_or(u64::MAX, |space| space.saturating_sub(state.held()) as u64))
    }

    fn overwrites_in_place(&self, _: &Path) -> bool {
        true
    }
}

impl DiskFile for FakeFile {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.disk.0.lock();
        let offset = usize::try_from(offset).unwrap();
        // The write during which the power goes may have reached the disk in part.
        let answer = state.operation();
        if answer.is_err() && state.powered(state.operations - 1).is_err() {
            return answer;
        }
        let inode = &state.inodes[self.inode];
        let more = (offset + bytes.len()).saturating_sub(inode.now.len());
        if more > 0 {
            state.demand(more)?;
        }
        let inode = &mut state.inodes[self.inode];
        write(&mut inode.now, offset, bytes);
        inode.pending.push((offset, bytes.into()));
        answer
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.disk.0.lock();
        state.powered(state.operations)?;
        let from = state.inodes[self.inode].now.get(usize::try_from(offset).unwrap()..);
        let from = from.unwrap_or_default();
        let read = from.len().min(bytes.len());
        bytes[..read].copy_from_slice(&from[..read]);
        Ok(read)
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.0.lock();
        state.operation()?;
        state.syncs += 1;
        if state.fail_syncs {
            return Err(io::Error::other("the disk is broken"));
        }
        let inode = &mut state.inodes[self.inode];
        for (offset, bytes) in std::mem::take(&mut inode.pending) {
            write(&mut inode.safe, offset, &bytes);
        }
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.0.lock().inodes[self.inode].now.len() as u64)
    }
}

impl Rows {
    fn of(rows: BTreeMap<RowKey, Vec<u8>>) -> Self {
        Self { now: rows.clone(), safe: rows, pending: Vec::new() }
    }
}

impl FakeCatalog {
    fn state(&self) -> Result<MutexGuard<'_, State>, CatalogError> {
        let state = self.0.0.lock();
        state.powered(state.operations).map_err(refused)?;
        Ok(state)
    }
}

impl Catalog for FakeCatalog {
    fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>, CatalogError> {
        Ok(self.state()?.catalog.now.get(&(tree, key.to_vec())).cloned())
    }

    fn scan_prefix(&self, tree: Tree, prefix: &[u8]) -> Result<Vec<Row>, CatalogError> {
        let state = self.state()?;
        let of_tree = state.catalog.now.iter().filter(|((each, _), _)| *each == tree);
        let found = of_tree.filter(|((_, key), _)| key.starts_with(prefix));
        Ok(found.map(|((_, key), value)| (key.clone(), value.clone())).collect())
    }

    fn apply(&mut self, batch: &[Change]) -> Result<(), CatalogError> {
        let mut state = self.0.0.lock();
        state.operation().map_err(refused)?;
        state.demand(0).map_err(refused)?;
        for change in batch {
            let change = match change.clone() {
                Change::Put { tree, key, value } => ((tree, key), Some(value)),
                Change::Delete { tree, key } => ((tree, key), None),
            };
            apply_row(&mut state.catalog.now, &change);
            state.catalog.pending.push(change);
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), CatalogError> {
        let mut state = self.0.0.lock();
        state.operation().map_err(refused)?;
        state.demand(0).map_err(refused)?;
        let Rows { safe, pending, .. } = &mut state.catalog;
        pending.drain(..).for_each(|change| apply_row(safe, &change));
        Ok(())
    }
}

fn refused(source: io::Error) -> CatalogError {
    CatalogError::Io { doing: "change", file: "the fake".into(), source }
}

fn apply_row(rows: &mut BTreeMap<RowKey, Vec<u8>>, (key, value): &(RowKey, Option<Vec<u8>>)) {
    match value {
        Some(value) => rows.insert(key.clone(), value.clone()),
        None => rows.remove(key),
    };
}

fn write(file: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    if file.len() < offset + bytes.len() {
        file.resize(offset + bytes.len(), 0);
    }
    file[offset..offset + bytes.len()].copy_from_slice(bytes);
}

fn apply_names(names: &mut BTreeMap<PathBuf, usize>, renaming: &Renaming) {
    for (path, inode) in renaming {
        match inode {
            Some(inode) => names.insert(path.clone(), *inode),
            None => names.remove(path),
        };
    }
}

/// xorshift: the same dice fall the same way.
#[derive(Debug)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 20) % limit as u64).unwrap()
    }
}
