//! Whatever is said to Warren, it answers or hangs up; it neither panics nor hangs nor keeps
//! anything of it.
//!
//! Runs for `FUZZ_SECONDS` (5; CI: 20; by hand: 3600). A failure prints its seed, `FUZZ_SEED=n`
//! plays that one alone. What was said to a connection that failed is kept in `tests/fuzz/found`;
//! files there are played in every run, so that what was found once stays mended.

#[path = "../support/mod.rs"]
#[allow(
    dead_code,
    unused_imports,
    reason = "written for the integration tests; not all of it is needed here"
)]
mod support;

mod connections;
mod decoders;
mod words;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;

/// Panics in the broker's threads, which end nothing but the task.
static PANICS: AtomicUsize = AtomicUsize::new(0);

fn watch_panics() {
    static WATCHED: Once = Once::new();
    WATCHED.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let thread = std::thread::current();
            if thread.name().is_some_and(|name| name.starts_with("tokio") || name == "log") {
                PANICS.fetch_add(1, Ordering::SeqCst);
            }
            print(panic);
        }));
    });
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Plays a round with one seed after the other until the time is up. Returns how many.
#[expect(clippy::print_stdout, reason = "a failure is to say how to play it again")]
fn fuzz(mut round: impl FnMut(&mut StdRng)) -> u64 {
    watch_panics();
    let single = number("FUZZ_SEED");
    let end = Instant::now() + Duration::from_secs(number("FUZZ_SECONDS").unwrap_or(5));
    let first = single.unwrap_or_else(rand::random);
    let mut seed = first;
    loop {
        let mut random = StdRng::seed_from_u64(seed);
        let panics = PANICS.load(Ordering::SeqCst);
        let done = catch_unwind(AssertUnwindSafe(|| round(&mut random)));
        if done.is_err() || PANICS.load(Ordering::SeqCst) > panics {
            println!("FUZZ_SEED={seed} plays this again");
            panic!("the round with seed {seed} failed");
        }
        seed = seed.wrapping_add(1);
        if single.is_some() || Instant::now() > end {
            return seed.wrapping_sub(first);
        }
    }
}
