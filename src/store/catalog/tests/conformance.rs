//! What every catalogue does: a script, and random batches against a model.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

/// A catalogue that can be closed and opened again; memory just stays.
struct Bench {
    kind: Option<Kind>,
    dir: TempDir,
    catalog: Box<dyn Catalog>,
}

impl Bench {
    fn all() -> [Self; 3] {
        [None, Some(Kind::Sled), Some(Kind::Redb)].map(|kind| {
            let dir = TempDir::new().unwrap();
            let catalog = kind.map_or_else(
                || Box::new(Memory::default()) as Box<dyn Catalog>,
                |kind| create(kind, &dir.path().join("rows")),
            );
            Self { kind, dir, catalog }
        })
    }

    fn reopen(&mut self) {
        if let Some(kind) = self.kind {
            self.catalog = Box::new(Memory::default());
            self.catalog = reopen(kind, &self.dir.path().join("rows"));
        }
    }
}

fn keys(rows: &[Row]) -> Vec<&str> {
    rows.iter().map(|(key, _)| std::str::from_utf8(key).unwrap()).collect()
}

#[test]
fn a_script_of_puts_deletes_scans_and_reopenings() {
    for mut bench in Bench::all() {
        let catalog = &mut bench.catalog;
        assert_eq!(catalog.get(Tree::Catalog, b"q/1/a").unwrap(), None);
        catalog.apply(&[]).unwrap();
        catalog
            .apply(&[
                Change::put(Tree::Catalog, "q/1/b", "two"),
                Change::put(Tree::Catalog, "q/1/a", "one"),
                Change::put(Tree::Catalog, "q/10/a", "other vhost"),
                Change::put(Tree::Queue, "q/1/a", "same key, other tree"),
                Change::put(Tree::Meta, "", "an empty key"),
                Change::put(Tree::Meta, "empty value", ""),
            ])
            .unwrap();
        catalog.sync().unwrap();
        bench.reopen();

        let catalog = &mut bench.catalog;
        assert_eq!(catalog.get(Tree::Catalog, b"q/1/a").unwrap().unwrap(), b"one");
        assert_eq!(catalog.get(Tree::Meta, b"").unwrap().unwrap(), b"an empty key");
        assert_eq!(catalog.get(Tree::Meta, b"empty value").unwrap().unwrap(), b"");
        let rows = catalog.scan_prefix(Tree::Catalog, b"q/1/").unwrap();
        assert_eq!(keys(&rows), ["q/1/a", "q/1/b"]);
        let rows = catalog.scan_prefix(Tree::Catalog, b"").unwrap();
        assert_eq!(keys(&rows), ["q/1/a", "q/1/b", "q/10/a"]);
        assert_eq!(catalog.scan_prefix(Tree::Runs, b"").unwrap(), []);

        catalog
            .apply(&[
                Change::delete(Tree::Catalog, "q/1/a"),
                Change::put(Tree::Catalog, "q/1/a", "put after delete"),
                Change::put(Tree::Catalog, "q/1/b", "deleted after put"),
                Change::delete(Tree::Catalog, "q/1/b"),
                Change::delete(Tree::Catalog, "was never there"),
            ])
            .unwrap();
        bench.reopen();
        let rows = bench.catalog.scan_prefix(Tree::Catalog, b"q/1/").unwrap();
        assert_eq!(rows, [(b"q/1/a".to_vec(), b"put after delete".to_vec())]);
    }
}

#[test]
fn values_grow_and_shrink_over_many_pieces() {
    for mut bench in Bench::all() {
        for len in [10, 50_000, 3_000, MAX_VALUE, 0, 8_000, 4_000, 4_001] {
            let value: Vec<u8> = (0..len).map(|n: usize| (n / 7) as u8).collect();
            let change = Change::put(Tree::Catalog, "q/1/arguments", value.clone());
            bench.catalog.apply(&[change]).unwrap();
            bench.catalog.sync().unwrap();
            bench.reopen();
            let found = bench.catalog.get(Tree::Catalog, b"q/1/arguments").unwrap();
            assert!(found == Some(value), "{:?} {len}", bench.kind);
        }
        bench.catalog.apply(&[Change::delete(Tree::Catalog, "q/1/arguments")]).unwrap();
        bench.reopen();
        assert_eq!(bench.catalog.scan_prefix(Tree::Catalog, b"").unwrap(), []);
    }
}

#[test]
fn one_batch_may_hold_a_whole_broker() {
    for mut bench in Bench::all() {
        let put = |n: u32| Change::put(Tree::Queue, n.to_be_bytes(), vec![n as u8; 200]);
        bench.catalog.apply(&(0..50_000).map(put).collect::<Vec<_>>()).unwrap();
        bench.catalog.sync().unwrap();
        bench.reopen();
        assert_eq!(bench.catalog.scan_prefix(Tree::Queue, b"").unwrap().len(), 50_000);
        let delete = |n: u32| Change::delete(Tree::Queue, n.to_be_bytes());
        bench.catalog.apply(&(1..50_000).map(delete).collect::<Vec<_>>()).unwrap();
        bench.reopen();
        assert_eq!(bench.catalog.scan_prefix(Tree::Queue, b"").unwrap().len(), 1);
    }
}

#[test]
fn a_batch_over_a_limit_changes_nothing() {
    for bench in &mut Bench::all() {
        let good = || Change::put(Tree::Runs, "good", "row");
        for (bad, text) in [
            (Change::put(Tree::Runs, vec![1; MAX_KEY + 1], ""), "key of 2049 bytes"),
            (Change::delete(Tree::Runs, vec![1; MAX_KEY + 1]), "key of 2049 bytes"),
            (Change::put(Tree::Runs, "k", vec![1; MAX_VALUE + 1]), "value of 1048577 bytes"),
        ] {
            let error = bench.catalog.apply(&[good(), bad]).unwrap_err().to_string();
            assert!(error.contains(text), "{error}");
        }
        assert_eq!(bench.catalog.scan_prefix(Tree::Runs, b"").unwrap(), []);
        bench.catalog.apply(&[good(), Change::put(Tree::Runs, vec![1; MAX_KEY], "")]).unwrap();
        assert_eq!(bench.catalog.scan_prefix(Tree::Runs, b"").unwrap().len(), 2);
    }
}

/// sled moves a page over 128 KiB to a file that it never syncs; the worst rows must not get there.
#[test]
fn sled_never_makes_a_blob() {
    let dir = TempDir::new().unwrap();
    let mut catalog = create(Kind::Sled, dir.path());
    // The last bytes differ: sled leaves out a common prefix of 255 bytes at most, and what is
    // left goes into its inner pages, up to 320 times.
    let key = |n: u32| [&[b'k'; MAX_KEY - 4][..], &n.to_be_bytes()].concat();
    for from in (0..12_000).step_by(100) {
        let inner = (from..from + 100).map(|n| Change::put(Tree::Runs, key(n), "v"));
        let leaf = (from..from + 5).map(|n| Change::put(Tree::Acks, key(n), vec![1; 40_000]));
        catalog.apply(&inner.chain(leaf).collect::<Vec<_>>()).unwrap();
        assert_eq!(std::fs::read_dir(dir.path().join("blobs")).unwrap().count(), 0, "{from}");
    }
    catalog.sync().unwrap();
    drop(catalog);
    assert_eq!(std::fs::read_dir(dir.path().join("blobs")).unwrap().count(), 0);
    let catalog = reopen(Kind::Sled, dir.path());
    assert_eq!(catalog.scan_prefix(Tree::Runs, b"").unwrap().len(), 12_000);
}

#[derive(Clone, Debug)]
enum Step {
    Apply(Vec<Change>),
    Scan(Tree, Vec<u8>),
    Sync,
    Reopen,
}

fn tree() -> impl Strategy<Value = Tree> {
    prop::sample::select(Tree::ALL.to_vec())
}

/// Few keys, so that they meet again, many of them prefixes of others or longer than sled likes.
fn key() -> impl Strategy<Value = Vec<u8>> {
    let end = prop::collection::vec(prop::sample::select(vec![0, b'a', 0xFF]), 0..4);
    (prop::sample::select(vec![0, 0, 1, 220, 223, 254, 300]), end).prop_map(|(len, end)| {
        let mut key = vec![b'k'; len];
        key.extend(end);
        key
    })
}

fn change() -> impl Strategy<Value = Change> {
    let len = prop::sample::select(vec![0, 1, 100, 3_900, 4_000, 9_000]);
    let value = (len, any::<u8>()).prop_map(|(len, byte)| vec![byte; len]);
    prop_oneof![
        3 => (tree(), key(), value).prop_map(|(tree, key, value)| Change::Put { tree, key, value }),
        1 => (tree(), key()).prop_map(|(tree, key)| Change::Delete { tree, key }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => prop::collection::vec(change(), 0..12).prop_map(Step::Apply),
        3 => (tree(), key()).prop_map(|(tree, prefix)| Step::Scan(tree, prefix)),
        1 => Just(Step::Sync),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn random_batches_leave_what_the_model_holds(
        steps in prop::collection::vec(step(), 1..30)
    ) {
        for mut bench in Bench::all() {
            let mut model = BTreeMap::<(Tree, Vec<u8>), Vec<u8>>::new();
            for step in steps.iter().chain([&Step::Reopen]) {
                match step {
                    Step::Apply(batch) => {
                        bench.catalog.apply(batch).unwrap();
                        for change in batch {
                            let (tree, key, value) = change.target();
                            match value {
                                Some(value) => drop(model.insert((tree, key.into()), value.into())),
                                None => drop(model.remove(&(tree, key.into()))),
                            }
                        }
                    }
                    Step::Scan(tree, prefix) => {
                        let expected: Vec<_> = model
                            .iter()
                            .filter(|((of, key), _)| of == tree && key.starts_with(prefix))
                            .map(|((_, key), value)| (key.clone(), value.clone()))
                            .collect();
                        let found = bench.catalog.scan_prefix(*tree, prefix).unwrap();
                        prop_assert!(found == expected, "{:?}: {step:?}", bench.kind);
                        let single = model.get(&(*tree, prefix.clone())).cloned();
                        prop_assert_eq!(bench.catalog.get(*tree, prefix).unwrap(), single);
                    }
                    Step::Sync => bench.catalog.sync().unwrap(),
                    Step::Reopen => bench.reopen(),
                }
            }
            let rows = model.into_iter().map(|((tree, key), value)| (tree, (key, value)));
            let found = contents(&*bench.catalog).unwrap().into_iter();
            let found = found.flat_map(|(tree, rows)| rows.into_iter().map(move |row| (tree, row)));
            prop_assert!(found.eq(rows), "{:?}", bench.kind);
        }
    }
}
