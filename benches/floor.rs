//! The least that one outstanding confirm can take on a machine: a write and a sync of one message, bare, and
//! behind an echo over loopback that answers once they are done. No broker can be faster than that echo.
//!
//!     rustc -O benches/floor.rs -o /tmp/floor && /tmp/floor DIR
//!
//! DIR is on the disk that is meant. Prints three rows for the table of `benches/durable.sh`.

use std::fs::{File, OpenOptions};
use std::io::{Read, Result, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// A message of 1 KiB with what the log adds.
const RECORD: usize = 1152;
/// What a client sends for it, and what it is answered.
const PUBLISH: usize = 1100;
const CONFIRM: usize = 21;
/// The file is filled ahead of time, as the log is.
const FILE: u64 = 16 << 20;
const ROUNDS: usize = 8000;

struct Log {
    file: File,
    at: u64,
}

impl Log {
    fn new(path: &Path) -> Result<Self> {
        let file =
            OpenOptions::new().create(true).truncate(true).read(true).write(true).open(path)?;
        file.write_all_at(&vec![0; FILE as usize], 0)?;
        file.sync_all()?;
        Ok(Self { file, at: 0 })
    }

    fn append(&mut self) -> Result<()> {
        self.file.write_all_at(&[7; RECORD], self.at)?;
        self.file.sync_data()?;
        self.at = (self.at + RECORD as u64) % (FILE - RECORD as u64);
        Ok(())
    }
}

fn row(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |share: usize| times[times.len() * share / 100].as_micros();
    let rate = times.len() as u128 * 1_000_000 / times.iter().sum::<Duration>().as_micros();
    println!("| {what} | {rate} | - | {} | {} | - |", at(50), at(99));
}

fn timed(mut step: impl FnMut() -> Result<()>) -> Result<Vec<Duration>> {
    (0..ROUNDS)
        .map(|_| {
            let began = Instant::now();
            step().map(|()| began.elapsed())
        })
        .collect()
}

/// Times an echo that carries out a step before it answers.
fn echo(mut step: impl FnMut() -> Result<()> + Send + 'static) -> Result<Vec<Duration>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut client = TcpStream::connect(listener.local_addr()?)?;
    let (mut server, _) = listener.accept()?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let serving = std::thread::spawn(move || -> Result<()> {
        let mut publish = [0; PUBLISH];
        while server.read_exact(&mut publish).is_ok() {
            step()?;
            server.write_all(&publish[..CONFIRM])?;
        }
        Ok(())
    });
    let mut confirm = [0; CONFIRM];
    let times = timed(|| {
        client.write_all(&[1; PUBLISH])?;
        client.read_exact(&mut confirm)
    })?;
    drop(client);
    serving.join().expect("the echo does not panic")?;
    Ok(times)
}

fn main() -> Result<()> {
    let dir = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let path = Path::new(&dir).join("floor.tmp");
    let mut log = Log::new(&path)?;
    row("bare pwrite + fdatasync, 1,152 B", timed(|| log.append())?);
    row("an echo over loopback", echo(|| Ok(()))?);
    row("an echo that writes and syncs before it answers", echo(move || log.append())?);
    std::fs::remove_file(path)
}
