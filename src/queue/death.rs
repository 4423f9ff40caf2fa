//! What a dead message says of its death, and where it goes: `x-death` and its companions.
//!
//! As RabbitMQ 4.3 does it: one entry for each (queue, reason), the newest first; a second death
//! of the same kind counts up and moves to the front, and keeps the time, exchange and keys of
//! the first. What a client wrote under these names is no death certificate and is replaced.

use super::vocabulary::Death;
use crate::message::{Message, Parts};
use crate::wire::content::{ContentHeader, Property, Replacement, property, replace};
use crate::wire::table::{ArrayBuilder, ArrayRef, Table, TableBuilder, TableRef, Value};

/// Headers that are the broker's word on dead messages.
const WORDS: [&str; 7] = [
    "x-death",
    "x-first-death-exchange",
    "x-first-death-queue",
    "x-first-death-reason",
    "x-last-death-exchange",
    "x-last-death-queue",
    "x-last-death-reason",
];

/// A death, and where the message goes.
#[derive(Clone, Copy, Debug)]
pub struct Burial<'a> {
    /// Where it died.
    pub queue: &'a str,
    /// Why.
    pub death: Death,
    /// When, in seconds since 1970.
    pub time: u64,
    /// The dead-letter exchange.
    pub exchange: &'a str,
    /// The key it is sent with; `None`: its own, and those of its CC header.
    pub routing_key: Option<&'a [u8]>,
}

/// A dead message as it goes to the dead-letter exchange.
#[derive(Clone, Debug)]
pub struct Letter {
    /// What goes there.
    pub message: Message,
    /// With which keys, the first of which is the message's.
    pub keys: Vec<Box<[u8]>>,
}

impl Letter {
    /// Makes the letter of a dead message.
    pub fn new(dead: &Message, burial: Burial<'_>) -> Self {
        let headers = headers(dead).unwrap_or_default();
        let own_keys = keys(dead, headers);
        let told = told(dead, headers, &own_keys, burial);
        let header = replace(dead.header(), Property::Expiration, Replacement::Nothing);
        let header = replace(&header, Property::Headers, Replacement::Table(told.as_ref()));
        let keys: Vec<Box<[u8]>> = match burial.routing_key {
            Some(key) => vec![key.into()],
            None => own_keys.into_iter().map(Into::into).collect(),
        };
        let exchange = burial.exchange.as_bytes();
        let message = Message::from_parts(Parts {
            exchange: &exchange[..exchange.len().min(u8::MAX.into())],
            routing_key: &keys[0],
            header: &header,
            body: dead.body(),
            persistent: dead.is_persistent(),
            priority: dead.priority(),
            expires: false,
            died: true,
        });
        Self { message, keys }
    }

    /// Whether the message came from this queue and nobody rejected it on its way round: then it
    /// would go round for ever, and goes there no more.
    pub fn goes_round(&self, target: &str) -> bool {
        let Some(deaths) = headers(&self.message).and_then(deaths) else { return false };
        for death in deaths.iter().filter_map(table) {
            if text(death, "reason") == Death::Rejected.name().as_bytes() {
                return false;
            }
            if text(death, "queue") == target.as_bytes() {
                return true;
            }
        }
        false
    }

    /// Its headers.
    #[cfg(test)]
    fn headers(&self) -> Option<TableRef<'_>> {
        headers(&self.message)
    }
}

/// Where a dead message was before it died.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin<'a> {
    /// The queue.
    pub queue: &'a str,
    /// The exchange that it had been published to.
    pub exchange: &'a [u8],
    /// With which key.
    pub routing_key: &'a [u8],
}

/// Where a message died last, if it is a dead letter.
pub fn origin(message: &Message) -> Option<Origin<'_>> {
    if !message.has_died() {
        return None;
    }
    let last = deaths(headers(message)?)?.iter().find_map(table)?;
    let Some(Value::Array(keys)) = last.get("routing-keys") else { return None };
    Some(Origin {
        queue: std::str::from_utf8(text(last, "queue")).ok()?,
        exchange: text(last, "exchange"),
        routing_key: keys.iter().find_map(|key| key.as_bytes_of_text())?,
    })
}

fn headers(message: &Message) -> Option<TableRef<'_>> {
    ContentHeader::parse(message.header()).ok()?.properties.headers
}

fn deaths(headers: TableRef<'_>) -> Option<ArrayRef<'_>> {
    if let Some(Value::Array(array)) = headers.get("x-death") { Some(array) } else { None }
}

fn table(value: Value<'_>) -> Option<TableRef<'_>> {
    if let Value::Table(table) = value { Some(table) } else { None }
}

fn text<'a>(table: TableRef<'a>, key: &str) -> &'a [u8] {
    table.get(key).and_then(|value| value.as_bytes_of_text()).unwrap_or_default()
}

/// The keys that the message was published with. (Those of BCC were not kept: nobody may know.)
fn keys<'a>(message: &'a Message, headers: TableRef<'a>) -> Vec<&'a [u8]> {
    let mut keys = vec![message.routing_key()];
    if let Some(Value::Array(more)) = headers.get("CC") {
        let more = more.iter().filter_map(|each| each.as_bytes_of_text());
        keys.extend(more.filter(|key| key.len() <= u8::MAX.into()));
    }
    keys
}

/// The headers with what is to be said of this death.
fn told(dead: &Message, old: TableRef<'_>, keys: &[&[u8]], burial: Burial<'_>) -> Table {
    let mut gone = WORDS.to_vec();
    if burial.routing_key.is_some() {
        // Sent to somebody else, it says no more to whom it was sent (RabbitMQ).
        gone.push("CC");
    }
    let known = if dead.has_died() { Some(old) } else { None };
    let mut told = old.without_any(&gone).extend();
    let all = all_deaths(dead, known.and_then(deaths), keys, burial);
    told.push("x-death", all.as_value());
    let now = [dead.exchange(), burial.queue.as_bytes(), burial.death.name().as_bytes()];
    for (at, word) in now.iter().enumerate() {
        let first = known.and_then(|known| known.get(WORDS[1 + at]));
        told.push(WORDS[1 + at], first.unwrap_or(Value::Text(word)));
    }
    for (at, word) in now.iter().enumerate() {
        told.push(WORDS[4 + at], Value::Text(word));
    }
    told.build()
}

fn all_deaths(
    dead: &Message,
    known: Option<ArrayRef<'_>>,
    keys: &[&[u8]],
    burial: Burial<'_>,
) -> ArrayBuilder {
    let reason = burial.death.name().as_bytes();
    let same = |death: &TableRef<'_>| {
        text(*death, "queue") == burial.queue.as_bytes() && text(*death, "reason") == reason
    };
    let known: Vec<TableRef<'_>> =
        known.map(|known| known.iter().filter_map(table).collect()).unwrap_or_default();
    let mut all = ArrayBuilder::new();
    let newest = match known.iter().find(|death| same(death)) {
        Some(before) => again(*before),
        None => first(dead, keys, burial),
    };
    all.push(Value::Table(newest.as_ref()));
    for death in known.iter().filter(|death| !same(death)) {
        all.push(Value::Table(*death));
    }
    all
}

/// It died here for the same reason before.
fn again(before: TableRef<'_>) -> Table {
    let mut death = TableBuilder::new();
    for (key, value) in before.iter() {
        let count = value.as_integer().filter(|_| key == "count");
        death.push(key, count.map_or(value, |count| Value::I64(count.saturating_add(1))));
    }
    death.build()
}

fn first(dead: &Message, keys: &[&[u8]], burial: Burial<'_>) -> Table {
    let mut routing_keys = ArrayBuilder::new();
    for key in keys {
        routing_keys.push(Value::Text(key));
    }
    let mut death = TableBuilder::new()
        .with("count", Value::I64(1))
        .with("reason", Value::Text(burial.death.name().as_bytes()))
        .with("queue", Value::Text(burial.queue.as_bytes()))
        .with("time", Value::Timestamp(burial.time))
        .with("exchange", Value::Text(dead.exchange()))
        .with("routing-keys", routing_keys.as_value());
    if dead.expires()
        && let Some(expiration) = property(dead.header(), Property::Expiration)
    {
        death.push("original-expiration", Value::Text(expiration));
    }
    death.build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::content::header;

    fn published(headers: &Table, expiration: Option<&str>) -> Message {
        let head = header(1, &[]);
        let head = replace(&head, Property::Headers, Replacement::Table(headers.as_ref()));
        let with =
            expiration.map_or(Replacement::Nothing, |text| Replacement::Text(text.as_bytes()));
        Message::from_parts(Parts {
            exchange: b"",
            routing_key: b"jobs",
            header: &replace(&head, Property::Expiration, with),
            body: b"x",
            persistent: true,
            priority: 0,
            expires: expiration.is_some(),
            died: false,
        })
    }

    fn burial(queue: &'static str, death: Death, time: u64) -> Burial<'static> {
        Burial { queue, death, time, exchange: "dlx", routing_key: None }
    }

    fn shown(letter: &Letter) -> String {
        format!("{:?}", letter.headers().expect("there are headers"))
    }

    #[test]
    fn the_first_death_is_told_in_full() {
        let mut cc = ArrayBuilder::new();
        cc.push(Value::Text(b"copy"));
        let headers =
            TableBuilder::new().with("k", Value::I32(1)).with("CC", cc.as_value()).build();
        let dead = published(&headers, Some("50"));
        let letter = Letter::new(&dead, burial("jobs", Death::Expired, 77));
        assert_eq!(letter.keys, [b"jobs"[..].into(), Box::<[u8]>::from(&b"copy"[..])]);
        let text = |text: &str| format!("{:?}", Value::Text(text.as_bytes()));
        let told = shown(&letter);
        let expected = format!(
            "{{\"count\": I64(1), \"reason\": {}, \"queue\": {}, \"time\": Timestamp(77), \
             \"exchange\": {}, \"routing-keys\": Array([{}, {}]), \"original-expiration\": {}}}",
            text("expired"),
            text("jobs"),
            text(""),
            text("jobs"),
            text("copy"),
            text("50"),
        );
        assert!(told.contains(&expected), "{told}\nlacks\n{expected}");
        assert!(told.starts_with("{\"k\": I32(1), \"CC\""), "{told}");
        assert_eq!(property(letter.message.header(), Property::Expiration), None);
        assert_eq!(letter.message.exchange(), b"dlx");
        assert!(letter.message.has_died() && letter.message.is_persistent());
        let other = Burial { routing_key: Some(b"grave"), ..burial("jobs", Death::Expired, 77) };
        let letter = Letter::new(&dead, other);
        assert_eq!(letter.keys, [Box::<[u8]>::from(&b"grave"[..])]);
        assert_eq!(letter.headers().and_then(|headers| headers.get("CC")), None);
    }

    #[test]
    fn deaths_add_up_and_the_newest_stands_first() {
        let mut message = published(&Table::default(), None);
        let mut deaths = Vec::new();
        for (time, (queue, death)) in
            [("jobs", Death::Rejected), ("wait", Death::Expired), ("jobs", Death::Rejected)]
                .into_iter()
                .enumerate()
        {
            message = Letter::new(&message, burial(queue, death, time as u64)).message;
            let all = headers(&message).and_then(super::deaths).expect("it died");
            deaths = all
                .iter()
                .filter_map(table)
                .map(|death| {
                    let number = |key| death.get(key).and_then(|value| value.as_integer());
                    let time = death.get("time");
                    (text(death, "queue").to_vec(), number("count"), time)
                })
                .collect();
        }
        let death = |queue: &str, count, time| {
            (queue.as_bytes().to_vec(), Some(count), Some(Value::Timestamp(time)))
        };
        assert_eq!(deaths, [death("jobs", 2, 0), death("wait", 1, 1)]);
        let headers = headers(&message).expect("told");
        assert_eq!(text(headers, "x-first-death-reason"), b"rejected");
        assert_eq!(text(headers, "x-last-death-queue"), b"jobs");
    }

    #[test]
    fn what_a_client_says_of_deaths_is_replaced() {
        let mut forged = ArrayBuilder::new();
        let death = TableBuilder::new()
            .with("queue", Value::Text(b"jobs"))
            .with("reason", Value::Text(b"rejected"))
            .with("count", Value::I64(41))
            .build();
        forged.push(Value::Table(death.as_ref()));
        let headers = TableBuilder::new()
            .with("x-death", forged.as_value())
            .with("x-first-death-queue", Value::Text(b"z"))
            .build();
        let letter = Letter::new(&published(&headers, None), burial("jobs", Death::Rejected, 1));
        let told = shown(&letter);
        assert!(told.contains("I64(1)") && !told.contains("I64(41)"), "{told}");
        let first = letter.headers().and_then(|headers| headers.get("x-first-death-queue"));
        assert_eq!(first, Some(Value::Text(b"jobs")));
    }

    #[test]
    fn only_a_rejection_lets_a_message_go_round_again() {
        let expired =
            Letter::new(&published(&Table::default(), None), burial("a", Death::Expired, 1));
        assert!(expired.goes_round("a") && !expired.goes_round("b"));
        let further = Letter::new(&expired.message, burial("b", Death::MaxLength, 2));
        assert!(further.goes_round("a") && further.goes_round("b"));
        let rejected = Letter::new(&further.message, burial("c", Death::Rejected, 3));
        assert!(!["a", "b", "c"].iter().any(|queue| rejected.goes_round(queue)));
        let after = Letter::new(&rejected.message, burial("d", Death::Expired, 4));
        assert!(after.goes_round("d") && !after.goes_round("c") && !after.goes_round("a"));
    }
}
