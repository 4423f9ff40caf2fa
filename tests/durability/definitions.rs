//! `warren definitions`.

use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::process::{Warren, durable, warren};

const EXPORTED: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/management/exported/rabbitmq-4.3.6.json");

fn definitions(dir: &Path, words: &[&str]) -> Output {
    warren().arg("definitions").args(words).arg("--data-dir").arg(dir).output().unwrap()
}

fn exported(dir: &Path) -> Value {
    let output = definitions(dir, &["export"]);
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn they_go_into_a_directory_and_come_out_of_it_without_a_broker() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    assert!(definitions(&data, &["import", EXPORTED]).status.success());
    let first = exported(&data);
    let names = |kind: &str| {
        let rows = first[kind].as_array().unwrap().iter();
        rows.map(|row| row["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("users"), ["app", "guest", "ops"]);
    assert!(names("queues").contains(&"app.work".to_owned()));
    // A file's name instead: the same, and it goes into another directory.
    let file = dir.path().join("out.json");
    assert!(definitions(&data, &["export", file.to_str().unwrap()]).status.success());
    let other = dir.path().join("other");
    assert!(definitions(&other, &["import", file.to_str().unwrap()]).status.success());
    assert_eq!(exported(&other), first);
}

#[test]
fn a_directory_that_is_in_use_or_not_there_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Warren::start(dir.path());
    durable(&mut broker.client(), "q");
    let output = definitions(dir.path(), &["export"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("another process"), "{said}");
    assert!(broker.stop().success());
    assert_eq!(exported(dir.path())["queues"][0]["name"], "q");

    let missing = dir.path().join("missing");
    let output = definitions(&missing, &["export"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("no data directory"), "{said}");
    assert!(!missing.exists());
    let bad = dir.path().join("bad.json");
    std::fs::write(&bad, "[").unwrap();
    let output = definitions(dir.path(), &["import", bad.to_str().unwrap()]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("bad.json"), "{said}");
}
