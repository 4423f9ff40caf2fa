//! A catalogue that promises nothing over a restart: for tests, and for a broker without a disk.

use std::collections::BTreeMap;

use super::checked::check_limits;
use super::{Catalog, CatalogError, Change, Row, Tree};

/// Rows in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    trees: BTreeMap<Tree, BTreeMap<Vec<u8>, Vec<u8>>>,
}

impl Catalog for Memory {
    fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>, CatalogError> {
        Ok(self.trees.get(&tree).and_then(|rows| rows.get(key)).cloned())
    }

    fn scan_prefix(&self, tree: Tree, prefix: &[u8]) -> Result<Vec<Row>, CatalogError> {
        let Some(rows) = self.trees.get(&tree) else { return Ok(Vec::new()) };
        let from = rows.range(prefix.to_vec()..);
        let found = from.take_while(|(key, _)| key.starts_with(prefix));
        Ok(found.map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    fn apply(&mut self, batch: &[Change]) -> Result<(), CatalogError> {
        check_limits(batch)?;
        for (tree, key, value) in batch.iter().map(Change::target) {
            let rows = self.trees.entry(tree).or_default();
            match value {
                Some(value) => drop(rows.insert(key.to_vec(), value.to_vec())),
                None => drop(rows.remove(key)),
            }
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), CatalogError> {
        Ok(())
    }
}
