//! `top`: the busiest queues and connections, again and again or once.

use std::fmt::Write;
use std::time::Duration;

use serde_json::Value;

use super::call::{Call, Outcome, Said, Verb, objects, silent};
use super::failure::Failure;

/// Seconds between two looks if nothing else is said.
const INTERVAL: u64 = 2;
/// How many of each are shown.
const MOST: usize = 15;
/// Where the cursor goes before the screen is written anew.
const CLEAR: &str = "\x1b[H\x1b[2J";

pub(super) const VERBS: &[Verb] = &[Verb {
    name: "top",
    usage: "top [--once] [--interval <seconds>]",
    arguments: (0, 0),
    banner: silent,
    run: top,
}];

fn top(call: &Call) -> Outcome {
    if call.line.has("once") {
        return Ok(Said::Document(page(call)?));
    }
    let seconds = call.line.option("interval").and_then(|text| text.parse().ok());
    let pause = Duration::from_secs(seconds.unwrap_or(INTERVAL).max(1));
    // Until it is interrupted, or the broker is gone.
    loop {
        super::say(&format!("{CLEAR}{}", page(call)?));
        std::thread::sleep(pause);
    }
}

fn page(call: &Call) -> Result<String, Failure> {
    let (overview, mut queues, mut connections) = (
        call.api.get("/overview")?,
        objects(call.api.get("/queues")?),
        objects(call.api.get("/connections")?),
    );
    let totals = &overview["object_totals"];
    let mut page = format!(
        "{}: {} connections, {} channels, {} queues, {} consumers; {} messages\n\n",
        overview["node"].as_str().unwrap_or("?"),
        totals["connections"],
        totals["channels"],
        totals["queues"],
        totals["consumers"],
        overview["queue_totals"]["messages"],
    );
    busiest(&mut queues, &QUEUE_RATES);
    line(&mut page, "QUEUE", ["READY", "UNACKED", "CONSUMERS", "IN/s", "OUT/s", "ACK/s"]);
    for queue in queues.iter().take(MOST) {
        let stats = |name| rate(queue, &format!("/message_stats/{name}_details/rate"));
        let count = |name| queue[name].to_string();
        line(
            &mut page,
            &name(queue),
            [
                count("messages_ready"),
                count("messages_unacknowledged"),
                count("consumers"),
                stats("publish"),
                stats("deliver_get"),
                stats("ack"),
            ],
        );
    }
    busiest(&mut connections, &CONNECTION_RATES);
    page.push('\n');
    line(&mut page, "CONNECTION", ["USER", "STATE", "CHANNELS", "IN B/s", "OUT B/s", ""]);
    for connection in connections.iter().take(MOST) {
        let word = |name| connection[name].as_str().unwrap_or_default().to_owned();
        line(
            &mut page,
            &name(connection),
            [
                word("user"),
                word("state"),
                connection["channels"].to_string(),
                rate(connection, CONNECTION_RATES[0]),
                rate(connection, CONNECTION_RATES[1]),
                String::new(),
            ],
        );
    }
    Ok(page)
}

/// What makes a queue busy.
const QUEUE_RATES: [&str; 2] =
    ["/message_stats/publish_details/rate", "/message_stats/deliver_get_details/rate"];
/// What makes a connection busy.
const CONNECTION_RATES: [&str; 2] = ["/recv_oct_details/rate", "/send_oct_details/rate"];

fn number(object: &Value, place: &str) -> f64 {
    object.pointer(place).and_then(Value::as_f64).unwrap_or(0.0)
}

/// The busiest first; of those that are idle, the fullest.
fn busiest(objects: &mut [Value], rates: &[&str]) {
    let busy = |object: &Value| rates.iter().map(|place| number(object, place)).sum::<f64>();
    let key = |object: &Value| (busy(object), number(object, "/messages"));
    objects.sort_by(|a, b| {
        let ((a_busy, a_full), (b_busy, b_full)) = (key(a), key(b));
        b_busy.total_cmp(&a_busy).then(b_full.total_cmp(&a_full))
    });
}

fn rate(object: &Value, place: &str) -> String {
    format!("{:.1}", number(object, place))
}

/// The default vhost goes without saying.
fn name(object: &Value) -> String {
    let name = object["name"].as_str().unwrap_or_default();
    match object["vhost"].as_str() {
        None | Some("/") => name.to_owned(),
        Some(vhost) => format!("{vhost}/{name}"),
    }
}

fn line<T: AsRef<str>>(page: &mut String, name: &str, cells: [T; 6]) {
    let short: String = name.chars().take(44).collect();
    let _ = write!(page, "{short:<44}");
    for cell in &cells {
        let _ = write!(page, " {:>10}", cell.as_ref());
    }
    page.push('\n');
}
