//! What people and programs get to see.

use std::fmt::{self, Write as _};
use std::io::{self, Write as _};

use anyhow::ensure;
use hdrhistogram::Histogram;
use serde::Serialize;

use super::meter::Window;

/// Nanoseconds in a microsecond, microseconds in a second.
const MICRO: f64 = 1e3;
const MICROS: f64 = 1e6;

/// The figures of a window. The names of the fields are the names in the JSON object.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    seconds: f64,
    published: u64,
    confirmed: u64,
    /// Refused by the broker with basic.nack.
    rejected: u64,
    /// Mandatory and not routed.
    returned: u64,
    consumed: u64,
    publish_rate: f64,
    confirm_rate: f64,
    consume_rate: f64,
    latency_us: Option<Percentiles>,
    confirm_latency_us: Option<Percentiles>,
    broker: Broker,
    client: Client,
    /// With a count: messages that were published and not consumed. Below 0 if there were more.
    missing: Option<i64>,
}

/// Microseconds.
#[derive(Clone, Copy, Debug, Serialize)]
struct Percentiles {
    /// Messages that were measured.
    samples: u64,
    p50: f64,
    p90: f64,
    p99: f64,
    p999: f64,
    max: f64,
}

/// The broker's process, if its id was given.
#[derive(Clone, Copy, Debug, Serialize)]
struct Broker {
    cpu_seconds: Option<f64>,
    /// Per message published; per message consumed if none was published.
    cpu_us_per_message: Option<f64>,
    rss_kib: Option<u64>,
}

/// This process: whether it was cheap enough to tell anything about the broker.
#[derive(Clone, Copy, Debug, Serialize)]
struct Client {
    cpu_seconds: Option<f64>,
    publish_us_per_message: Option<f64>,
    consume_us_per_message: Option<f64>,
}

impl Report {
    /// Reports on a window; `missing` if the messages were counted.
    pub(super) fn new(window: &Window, missing: Option<i64>) -> Self {
        let (from, to) = (&window.from, &window.to);
        let seconds = window.seconds();
        let totals = window.totals();
        let rate = |count: u64| if seconds > 0.0 { count as f64 / seconds } else { 0.0 };
        let messages = if totals.published > 0 { totals.published } else { totals.consumed };
        let cpu_seconds = difference(from.broker_cpu, to.broker_cpu);
        Self {
            seconds,
            published: totals.published,
            confirmed: totals.confirmed,
            rejected: totals.rejected,
            returned: totals.returned,
            consumed: totals.consumed,
            publish_rate: rate(totals.published),
            confirm_rate: rate(totals.confirmed),
            consume_rate: rate(totals.consumed),
            latency_us: Percentiles::of(&window.latencies.deliveries),
            confirm_latency_us: Percentiles::of(&window.latencies.confirms),
            broker: Broker {
                cpu_seconds,
                cpu_us_per_message: cpu_seconds.and_then(|cpu| per_message(cpu, messages)),
                rss_kib: to.broker_rss,
            },
            client: Client {
                cpu_seconds: difference(from.own_cpu, to.own_cpu),
                publish_us_per_message: per_message(
                    to.publish_cpu - from.publish_cpu,
                    totals.published,
                ),
                consume_us_per_message: per_message(
                    to.consume_cpu - from.consume_cpu,
                    totals.consumed,
                ),
            },
            missing,
        }
    }

    /// Prints it to stdout.
    pub(super) fn print(&self, json: bool) -> anyhow::Result<()> {
        let text = if json { serde_json::to_string(self)? } else { self.to_string() };
        Ok(writeln!(io::stdout(), "{}", text.trim_end())?)
    }

    /// An error if messages were lost, or came more than once.
    pub(super) fn verdict(&self) -> anyhow::Result<()> {
        let missing = self.missing.unwrap_or_default();
        ensure!(missing <= 0, "{missing} messages are missing");
        ensure!(missing >= 0, "{} messages too many were consumed", -missing);
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "measured   {:.2} s", self.seconds)?;
        let confirmed = (self.confirmed > 0).then_some((self.confirmed, self.confirm_rate));
        let (published, consumed) = (self.published, self.consumed);
        writeln!(f, "published  {:>14} {:>12}/s", grouped(published), whole(self.publish_rate))?;
        if let Some((confirmed, rate)) = confirmed {
            writeln!(f, "confirmed  {:>14} {:>12}/s", grouped(confirmed), whole(rate))?;
        }
        writeln!(f, "consumed   {:>14} {:>12}/s", grouped(consumed), whole(self.consume_rate))?;
        for (name, count) in [("rejected", self.rejected), ("returned", self.returned)] {
            if count > 0 {
                writeln!(f, "{name}   {:>14}", grouped(count))?;
            }
        }
        if let Some(latency) = &self.latency_us {
            writeln!(f, "latency    {latency}")?;
        }
        if let Some(latency) = &self.confirm_latency_us {
            writeln!(f, "confirm    {latency}")?;
        }
        if let (Some(cpu), Some(rss)) = (self.broker.cpu_us_per_message, self.broker.rss_kib) {
            writeln!(f, "broker     {cpu:.2} µs CPU per message, {rss} KiB resident")?;
        }
        let figure = |us: Option<f64>| us.map_or_else(|| "-".into(), |us| format!("{us:.2} µs"));
        let publish = figure(self.client.publish_us_per_message);
        let consume = figure(self.client.consume_us_per_message);
        writeln!(f, "client     {publish} CPU per publish, {consume} per delivery")?;
        self.missing.map_or(Ok(()), |missing| writeln!(f, "missing    {missing}"))
    }
}

impl Percentiles {
    fn of(latencies: &Histogram<u32>) -> Option<Self> {
        let at = |quantile| latencies.value_at_quantile(quantile) as f64 / MICRO;
        (!latencies.is_empty()).then(|| Self {
            samples: latencies.len(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: latencies.max() as f64 / MICRO,
        })
    }
}

impl fmt::Display for Percentiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { samples, p50, p90, p99, p999, max } = self;
        write!(f, "p50 {p50:.0}  p90 {p90:.0}  p99 {p99:.0}  p99.9 {p999:.0}  max {max:.0} µs")?;
        write!(f, "  ({} samples)", grouped(*samples))
    }
}

/// Prints a line on how it goes to stderr.
pub(super) fn show_progress(second: &Window, warm: bool, blocked: bool) {
    let report = Report::new(second, None);
    let mut line = format!("{:5.0} s  ", second.to.at);
    let publish = whole(report.publish_rate);
    let consume = whole(report.consume_rate);
    let _ = write!(line, "published {publish:>10}/s  consumed {consume:>10}/s");
    for (name, latency) in [("", report.latency_us), ("confirm ", report.confirm_latency_us)] {
        if let Some(Percentiles { p50, p99, max, .. }) = latency {
            let _ = write!(line, "  {name}p50 {p50:.0} p99 {p99:.0} max {max:.0} µs");
        }
    }
    if blocked {
        line.push_str("  the broker blocks publishers");
    }
    if !warm {
        line.push_str("  (warm-up)");
    }
    show(&line);
}

/// Prints a line to stderr. Nobody is there to hear that nobody is there.
pub(super) fn show(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

fn difference(from: Option<f64>, to: Option<f64>) -> Option<f64> {
    Some(to? - from?)
}

/// Microseconds of CPU per message.
fn per_message(seconds: f64, messages: u64) -> Option<f64> {
    (messages > 0).then(|| seconds * MICROS / messages as f64)
}

fn whole(rate: f64) -> String {
    grouped(rate.round() as u64)
}

/// A number with its thousands set apart.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
