//! A catalogue that found no room on the disk, opened again.
//!
//! Databases take no more changes after an error: what they hold is unknown until they are opened
//! again, as after a crash.

use std::path::{Path, PathBuf};

use crate::store::OpenCatalog;
use crate::store::catalog::{Catalog, CatalogError, Memory};
use crate::store::error::{Failure, Tried};

type Open = Box<dyn FnMut(&Path) -> Result<OpenCatalog, CatalogError> + Send>;

/// See the module.
pub(crate) struct Reopening {
    catalog: Box<dyn Catalog>,
    /// A change has failed.
    failed: bool,
    /// It came back without its rows.
    lost: bool,
    data: PathBuf,
    open: Open,
}

impl Reopening {
    /// A catalogue that is open, and how to do that again.
    pub(crate) fn new(
        catalog: Box<dyn Catalog>,
        data: PathBuf,
        open: impl FnMut(&Path) -> Result<OpenCatalog, CatalogError> + Send + 'static,
    ) -> Self {
        Self { catalog, failed: false, lost: false, data, open: Box::new(open) }
    }

    /// The catalogue, for reading.
    pub(super) fn get(&self) -> &dyn Catalog {
        &*self.catalog
    }

    /// Changes it, once it is open.
    pub(super) fn change(
        &mut self,
        what: &'static str,
        change: impl FnOnce(&mut dyn Catalog) -> Result<(), CatalogError>,
    ) -> Result<(), Failure> {
        self.ensure_open()?;
        let done = change(&mut *self.catalog);
        self.failed = done.is_err();
        done.map_err(CatalogError::into_io).or_failure(what, &self.data)
    }

    /// Opens it again if a change has failed.
    fn ensure_open(&mut self) -> Result<(), Failure> {
        if !self.failed {
            return Ok(());
        }
        // The old one first: it holds a lock.
        self.catalog = Box::new(Memory::default());
        let opened = (self.open)(&self.data).map_err(CatalogError::into_io);
        let (catalog, sound) = opened.or_failure("open the catalogue in", &self.data)?;
        if !sound {
            self.lost = true;
        }
        if self.lost {
            let lost = std::io::Error::other("it was lost as the disk was full");
            return Err(Failure::new("go on with the catalogue in", &self.data, lost));
        }
        (self.catalog, self.failed) = (catalog, false);
        Ok(())
    }
}
