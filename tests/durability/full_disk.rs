//! A disk of its own that somebody else fills up: publishers wait and are told, consumers go on,
//! nothing is lost, and all goes on once there is room.

use std::path::Path;
use std::process::Command;

use warren::wire::method::{AnyMethod, basic, connection};

use crate::process::{Warren, check, confirmed, durable, persist};
use crate::support::client::Consume;
use crate::support::{Client, Heard, eventually};

/// Bytes of the disk.
const DISK: u64 = 24 << 20;
const BODY: usize = 2000;
/// More than goes into the log without clearing it.
const MANY: u64 = 2000;

/// A small file system in memory. Whoever has no right to mount one cannot run these tests.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let size = format!("size={DISK}");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &size, "warren-test"]).arg(dir.path());
        let mounted = mount.output().is_ok_and(|done| done.status.success());
        if !mounted {
            say_not_run();
        }
        mounted.then_some(Self(dir))
    }

    fn data(&self) -> std::path::PathBuf {
        self.0.path().join("data")
    }

    /// Leaves about so many bytes free.
    fn fill(&self, free: u64) {
        let file = self.0.path().join("filler");
        let count = |of: &Path| std::fs::metadata(of).map_or(0, |data| data.len());
        let command = format!("df -B1 --output=avail {} | tail -1", self.0.path().display());
        let avail = Command::new("sh").args(["-c", &command]).output().unwrap().stdout;
        let avail: u64 = String::from_utf8(avail).unwrap().trim().parse().unwrap();
        let mut bytes =
            vec![1; usize::try_from((avail + count(&file)).saturating_sub(free)).unwrap()];
        // What the broker takes meanwhile is not there any more.
        while std::fs::write(&file, &bytes).is_err() {
            let len = bytes.len().saturating_sub(64 << 10);
            bytes.truncate(len);
        }
    }

    fn empty(&self) {
        std::fs::remove_file(self.0.path().join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[expect(clippy::print_stderr, reason = "a test that was not run says so")]
fn say_not_run() {
    eprintln!("not run: nobody here may mount a file system");
}

fn body(number: u64) -> Vec<u8> {
    let mut body = number.to_string().into_bytes();
    body.resize(BODY, b' ');
    body
}

/// Publishes some messages in the background; whoever does so may have to wait.
fn publish_on(client: &Client, numbers: std::ops::Range<u64>) {
    let mut writer = client.writer();
    std::thread::spawn(move || {
        for number in numbers {
            persist(&mut writer, "q", &body(number));
        }
    });
}

/// How far a confirm goes.
fn confirmed_up_to(heard: &Heard) -> u64 {
    let AnyMethod::Basic(basic::AMQPMethod::Ack(ack)) = &heard.method else {
        panic!("heard {heard:?}");
    };
    ack.delivery_tag
}

/// Takes confirms until the publisher is told to wait. Returns how far they went.
fn is_blocked(client: &mut Client) -> u64 {
    let mut safe = 0;
    loop {
        let heard = client.hear();
        if let AnyMethod::Connection(connection::AMQPMethod::Blocked(blocked)) = &heard.method {
            assert_eq!(blocked.reason.as_str(), "low on disk");
            return safe;
        }
        safe = confirmed_up_to(&heard);
    }
}

/// Takes confirms up to the last one, and that it may go on, maybe after some more stops.
fn is_let_go(client: &mut Client, safe: u64, last: u64) {
    let (mut safe, mut waits) = (safe, true);
    while safe < last || waits {
        let heard = client.hear();
        match heard.id {
            (10, 60) => waits = true,
            (10, 61) => waits = false,
            _ => safe = confirmed_up_to(&heard),
        }
    }
}

/// Takes messages in order.
fn take(consumer: &mut Client, numbers: std::ops::Range<u64>) {
    for number in numbers {
        assert_eq!(consumer.delivery().text().trim_end(), number.to_string());
    }
}

fn consumer(broker: &Warren) -> Client {
    let mut consumer = broker.client();
    let how = Consume { no_ack: false, exclusive: false, tag: "", priority: None };
    consumer.consume_as(1, "q", how);
    consumer
}

#[test]
fn below_the_limit_publishers_wait_and_consumers_go_on() {
    let Some(disk) = SmallDisk::mount() else { return };
    let settings = [("WARREN_LIMITS_DISK_FREE", "6000000")];
    let broker = Warren::start_with(&disk.data(), &settings);
    let mut publisher = broker.client();
    durable(&mut publisher, "q");
    publish_on(&publisher, 0..10);
    confirmed(&mut publisher, 10);
    disk.fill(4_000_000);
    eventually("the log says so", || broker.log().contains("low on disk: publishers wait"));
    let line = broker.log().lines().find(|line| line.contains("low on disk: ")).unwrap().to_owned();
    assert!(line.contains(&disk.data().display().to_string()), "{line}");
    assert!(line.contains("limit=6000000") && line.contains("free="), "{line}");
    publish_on(&publisher, 10..11);
    is_blocked(&mut publisher);
    let mut consumer = consumer(&broker);
    take(&mut consumer, 0..10);
    consumer.ack(10, true);
    take(&mut consumer, 10..11);
    consumer.sync();
    disk.empty();
    is_let_go(&mut publisher, 0, 0);
    assert!(broker.stop().success());
    assert_eq!(check(&disk.data()).0, 0);
    let broker = Warren::start(&disk.data());
    assert_eq!(durable(&mut broker.client(), "q"), 1, "what was acked is gone");
}

#[test]
fn a_disk_that_is_full_to_the_last_byte_loses_nothing() {
    let Some(disk) = SmallDisk::mount() else { return };
    // No limit: the store finds out by itself.
    let settings = [("WARREN_LIMITS_DISK_FREE", "0")];
    let broker = Warren::start_with(&disk.data(), &settings);
    let mut publisher = broker.client();
    durable(&mut publisher, "q");
    persist(&mut publisher, "q", &body(0));
    confirmed(&mut publisher, 1);
    disk.fill(0);
    publish_on(&publisher, 1..MANY);
    let safe = is_blocked(&mut publisher);
    assert!(safe < MANY);
    eventually("the log says so", || broker.log().contains("the disk is full; publishers wait"));
    let mut consumer = consumer(&broker);
    take(&mut consumer, 0..safe.min(20));
    disk.empty();
    is_let_go(&mut publisher, safe, MANY);
    drop(consumer);
    eventually("the log says so", || broker.log().contains("room on the disk again"));
    assert!(broker.stop().success());
    assert_eq!(check(&disk.data()).0, 0, "{}", check(&disk.data()).1);
    let broker = Warren::start_with(&disk.data(), &settings);
    let mut consumer = self::consumer(&broker);
    take(&mut consumer, 0..MANY);
}
