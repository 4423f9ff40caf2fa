//! The store as a whole, on a disk that can fail.

mod cold;
mod cold_damage;
mod crash;
mod damage;
mod full_disk;
mod life;
mod random;
mod threads;
mod transactions;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::disk::fake::FakeDisk;
use super::*;
use crate::message::{Message, Parts};

const DIR: &str = "/data";

/// A store that moves when it is told to.
struct Hand {
    store: Store,
    writer: LogWriter,
    janitor: Janitor,
    recovered: Recovered,
}

fn options() -> Options {
    Options { log_file: 4096, log_files: 1000, most_log_files: 1000, ..Options::new(DIR) }
}

fn open(disk: &FakeDisk) -> Hand {
    try_open(disk, options()).unwrap()
}

fn try_open(disk: &FakeDisk, options: Options) -> Result<Hand, CannotOpen> {
    let (disk, catalog) = (Arc::new(disk.clone()), catalog_on(disk));
    let (store, workers, recovered) = Store::open_on(disk, options, catalog, true)?;
    let Workers { writer, janitor } = workers;
    Ok(Hand { store, writer, janitor, recovered })
}

/// Opens the catalogue of a disk.
fn catalog_on(
    disk: &FakeDisk,
) -> impl FnMut(&Path) -> Result<OpenCatalog, CatalogError> + Send + use<> {
    let disk = disk.clone();
    move |_| Ok((Box::new(disk.catalog()), true))
}

impl Hand {
    /// One turn of the log's writer; as if somebody waited, if `urgent`.
    fn commit(&mut self, urgent: bool) {
        if self.store.failure().is_some() {
            return;
        }
        let mut batch = self.store.shared.inbox.take(Vec::new());
        batch.urgent |= urgent;
        if let Err(failure) = self.writer.commit(&mut batch) {
            self.store.shared.fail(failure);
        }
    }

    /// Lets the janitor do one thing. Returns whether there was one.
    fn tidy(&mut self) -> bool {
        let Self { store, writer, janitor, .. } = self;
        let mut flush = || {
            store.shared.inbox.want_mark();
            let mut batch = store.shared.inbox.take(Vec::new());
            let done = writer.commit(&mut batch);
            done.map_err(|failure| store.shared.fail(failure)).is_ok()
        };
        let done = janitor.step(&mut flush);
        done.unwrap_or_else(|failure| {
            // Its thread would wait for room.
            if failure.is_full() {
                return false;
            }
            store.shared.fail(failure);
            false
        })
    }

    fn tidy_all(&mut self) {
        while self.tidy() {}
    }

    fn publish(&self, queue: u64, position: u64, body: &[u8]) -> LogPosition {
        self.store.append(new(queue, position, &message(body)))
    }

    fn gone(&self, queue: u64, first: u64, count: u64) -> LogPosition {
        self.store.append(gone(queue, first, count))
    }

    /// All of a queue: position → body.
    fn all(&self, queue: u64) -> BTreeMap<u64, Vec<u8>> {
        all(&self.store, queue)
    }

    /// Leaves as if stopped in good order.
    fn stop(mut self) {
        self.commit(true);
        self.writer.finish().unwrap();
    }
}

fn check(disk: &FakeDisk) -> Report {
    check::check_on(Arc::new(disk.clone()), &options(), &disk.catalog(), None).unwrap()
}

fn all(store: &Store, queue: u64) -> BTreeMap<u64, Vec<u8>> {
    let (mut all, mut from) = (BTreeMap::new(), 0);
    loop {
        let wanted =
            Wanted { queue: QueueId(queue), from, messages: usize::MAX, bytes: usize::MAX };
        let some = store.fetch(wanted).unwrap();
        let Some(last) = some.last() else { return all };
        from = last.position + 1;
        all.extend(some.iter().map(|stored| (stored.position, body(stored))));
    }
}

fn fetch(store: &Store, queue: u64, from: u64, messages: usize) -> Vec<Stored> {
    let wanted = Wanted { queue: QueueId(queue), from, messages, bytes: usize::MAX };
    store.fetch(wanted).unwrap()
}

fn body(stored: &Stored) -> Vec<u8> {
    stored.message.body().to_vec()
}

fn message(body: &[u8]) -> Message {
    Message::from_parts(Parts {
        exchange: b"x",
        routing_key: b"key",
        header: b"0123456789abcd",
        body,
        persistent: true,
        priority: 0,
        expires: false,
        died: false,
    })
}

fn new(queue: u64, position: u64, message: &Message) -> Record<'_> {
    Record::Message(NewMessage {
        queue: QueueId(queue),
        position,
        message,
        expires: None,
        lasting: true,
        shared: None,
    })
}

fn gone<'a>(queue: u64, first: u64, count: u64) -> Record<'a> {
    Record::Gone { queue: QueueId(queue), first, count, reason: Reason::Acknowledged }
}

fn log_path(file: u64) -> PathBuf {
    log::path(Path::new(DIR), file)
}
