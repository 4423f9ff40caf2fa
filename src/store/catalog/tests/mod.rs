//! The same tests for every catalogue, and what may happen to the files of two of them.

mod conformance;
mod crash;
mod damage;
mod refusals;

use std::path::Path;

use super::*;

const KINDS: [Kind; 2] = [Kind::Sled, Kind::Redb];

/// Opens what must be there and sound.
fn reopen(kind: Kind, dir: &Path) -> Box<dyn Catalog> {
    let opened = open(kind, dir).unwrap();
    assert!(matches!(opened.found, Found::Existing), "{kind}: {:?}", opened.found);
    opened.catalog
}

/// Makes what must not be there.
fn create(kind: Kind, dir: &Path) -> Box<dyn Catalog> {
    let opened = open(kind, dir).unwrap();
    assert!(matches!(opened.found, Found::New), "{kind}: {:?}", opened.found);
    opened.catalog
}

/// Everything a catalogue holds.
fn contents(catalog: &dyn Catalog) -> Result<Vec<(Tree, Vec<Row>)>, CatalogError> {
    Tree::ALL.iter().map(|tree| Ok((*tree, catalog.scan_prefix(*tree, b"")?))).collect()
}

/// Changes a sled database without the catalogue.
fn behind_its_back(dir: &Path, change: impl FnOnce(&::sled::Db)) {
    // sled's threads may hold the lock for an instant after the last database was dropped.
    let db = loop {
        match ::sled::open(dir) {
            Ok(db) => break db,
            Err(::sled::Error::Io(_)) => std::thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    };
    change(&db);
}
