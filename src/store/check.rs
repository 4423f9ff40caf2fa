//! Looking through a data directory that no broker has open, without changing it.
//!
//! Everything is read as when a store is opened to salvage, so each record's checksum is looked
//! at and each reference followed; what would be forgiven then is a problem here.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::sync::Arc;

use super::catalog::{self, Catalog, CatalogError, Found, Kind, Memory, Opened};
use super::disk::real::RealDisk;
use super::disk::untouched::Untouched;
use super::disk::{Disk, read_whole};
use super::error::{CannotOpen, Tried};
use super::format::file_header::{LEN, seed};
use super::format::read::View;
use super::janitor::snapshot_problems;
use super::log;
use super::options::Options;
use super::record::Reason;
use super::recovery::Recovery;
use super::recovery::replay::replay;

/// What a data directory has, and what is wrong with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Files of the log.
    pub logs: usize,
    /// Segments.
    pub segments: usize,
    /// Records in the log, by what they say.
    pub records: BTreeMap<&'static str, u64>,
    /// Messages that left their queues according to the log, by why they did.
    pub departures: BTreeMap<&'static str, u64>,
    /// Queues.
    pub queues: usize,
    /// Messages in them.
    pub messages: u64,
    /// Bytes of their bodies.
    pub body_bytes: u64,
    /// Rows of the broker.
    pub rows: usize,
    /// What is wrong, in words. Empty = a broker would open it and nothing would be missing.
    pub problems: Vec<String>,
}

/// Looks through a data directory.
pub fn check(dir: &Path) -> Result<Report, CannotOpen> {
    if !dir.join("WARREN").is_file() && !log::dir(dir).is_dir() {
        return Err(CannotOpen::NotOurs(dir.into()));
    }
    let lock = dir.join("LOCK");
    let lock = RealDisk.lock(&lock).tried("lock", &lock)?;
    let _lock = lock.ok_or_else(|| CannotOpen::InUse(dir.into()))?;
    let options = &Options::new(dir);
    let catalogs = [Kind::Sled, Kind::Redb].map(|kind| (kind, dir.join(kind.to_string())));
    let Some((kind, original)) = catalogs.into_iter().find(|(_, path)| path.is_dir()) else {
        return check_on(Arc::new(RealDisk), options, &Memory::default(), None);
    };
    // Opening a database may change it, so a copy is opened.
    let copy = std::env::temp_dir().join(format!("warren-check-{:016x}", any_number()));
    copy_dir(&original, &copy).tried("copy the catalogue to", &copy)?;
    let in_original = |why: CatalogError| {
        why.to_string().replace(&copy.display().to_string(), &original.display().to_string())
    };
    let opened = catalog::open(kind, &copy).map_err(|why| CannotOpen::Copy(in_original(why)));
    let report = opened.and_then(|opened| {
        let Opened { catalog, found } = opened;
        let problem = match found {
            Found::Existing => None,
            Found::New => Some(format!("{} is empty", original.display())),
            Found::SetAside { why, .. } => Some(in_original(why)),
        };
        check_on(Arc::new(RealDisk), options, &*catalog, problem)
    });
    std::fs::remove_dir_all(&copy).tried("remove", &copy)?;
    report
}

/// The same on any disk, for one who has locked it; with what is wrong with the catalogue.
pub(crate) fn check_on(
    disk: Arc<dyn Disk>,
    options: &Options,
    catalog: &dyn Catalog,
    problem: Option<String>,
) -> Result<Report, CannotOpen> {
    let disk = Untouched(disk);
    let options = Options { salvage: true, ..options.clone() };
    let (sound, lost) = (problem.is_none(), Vec::new());
    let mut recovery = Recovery { disk: &disk, options: &options, catalog, sound, lost };
    let found = recovery.recover()?;
    let recovered = found.recovered;
    let mut report = Report {
        logs: found.index.logs.len(),
        segments: found.index.segments.len(),
        queues: recovered.queues.len(),
        messages: recovered.queues.iter().map(|queue| queue.messages).sum(),
        body_bytes: recovered.queues.iter().map(|queue| queue.body_bytes).sum(),
        rows: recovered.rows.len(),
        problems: problem.into_iter().collect(),
        ..Report::default()
    };
    if recovered.rebuilt {
        report.problems.push("the catalogue would be built anew from the other files".into());
    }
    report.problems.extend(recovered.lost);
    report.problems.extend(snapshot_problems(&disk, &options.dir, found.store_id)?);
    for file in found.index.logs.keys() {
        report.count(&disk, &options.dir, *file)?;
    }
    Ok(report)
}

impl Report {
    /// Counts what a log file says.
    fn count(&mut self, disk: &dyn Disk, data: &Path, file: u64) -> Result<(), CannotOpen> {
        let path = log::path(data, file);
        let handle = disk.open(&path).tried("open", &path)?;
        let bytes = read_whole(&*handle).tried("read", &path)?;
        replay(&bytes, seed(file), LEN as u64, None, |raw, _| {
            let kind = match raw.view()? {
                View::Message(..) => "message",
                View::Reference { .. } => "reference",
                View::Gone { reason, ranges, .. } => {
                    let count: u64 = ranges.counted().map(|(_, count)| count).sum();
                    *self.departures.entry(Reason::name(reason)).or_default() += count;
                    "gone"
                }
                View::Delivered { .. } => "delivered",
                View::Purge { .. } => "purge",
                View::QueueDeleted { .. } => "queue deleted",
                View::Put { .. } | View::Delete { .. } => "row",
                View::Mark { .. } => "mark",
                View::Blob(_) => "blob",
                View::Commit { .. } => "transaction",
                View::Abandon { .. } => "abandoned transaction",
            };
            *self.records.entry(kind).or_default() += 1;
            Ok(())
        });
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { logs, segments, queues, messages, body_bytes, rows, .. } = self;
        writeln!(f, "{logs} log files, {segments} segments, {rows} rows of definitions")?;
        writeln!(f, "{queues} queues with {messages} messages of {body_bytes} bytes")?;
        for (kind, count) in &self.records {
            writeln!(f, "  {count} × {kind} in the log")?;
        }
        for (reason, count) in &self.departures {
            writeln!(f, "  {count} messages {reason}")?;
        }
        for problem in &self.problems {
            writeln!(f, "PROBLEM: {problem}")?;
        }
        writeln!(f, "{} problems", self.problems.len())
    }
}

/// One that nobody else has just drawn.
fn any_number() -> u64 {
    RandomState::new().hash_one(std::process::id())
}

fn copy_dir(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_dir(&entry.path(), &to)?;
        } else {
            std::fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}
