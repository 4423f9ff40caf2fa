//! The text of a `rabbitmq.conf`: lines of `key = value`, comments behind `#`.

use nom::branch::alt;
use nom::bytes::complete::{tag, take_till, take_while, take_while1};
use nom::character::complete::{char, digit1, space0};
use nom::combinator::{all_consuming, eof, map, map_res, opt, rest, value};
use nom::sequence::{delimited, pair, preceded, separated_pair, terminated};
use nom::{IResult, Parser};

/// A line that sets something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry<'t> {
    /// Where it stands, from 1.
    pub(super) line: usize,
    pub(super) key: &'t str,
    pub(super) value: &'t str,
}

/// All entries of a file, or the first line that is neither an entry nor a comment.
pub(super) fn entries(text: &str) -> Result<Vec<Entry<'_>>, usize> {
    let mut entries = Vec::new();
    for (at, text) in text.lines().enumerate() {
        let line = at + 1;
        match one(text) {
            Ok((_, Some((key, value)))) => entries.push(Entry { line, key, value }),
            Ok((_, None)) => {}
            Err(_) => return Err(line),
        }
    }
    Ok(entries)
}

/// An entry, or nothing but a comment.
fn one(text: &str) -> IResult<&str, Option<(&str, &str)>> {
    let comment = || pair(space0, alt((preceded(char('#'), rest), eof)));
    let entry = separated_pair(key, (space0, char('='), space0), content);
    let entry = terminated(preceded(space0, entry), comment());
    all_consuming(alt((map(entry, Some), value(None, comment())))).parse(text)
}

fn key(text: &str) -> IResult<&str, &str> {
    take_while1(|c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '*' | '/' | ':'))
        .parse(text)
}

/// What stands between single quotes, or everything up to a comment.
fn content(text: &str) -> IResult<&str, &str> {
    let quoted = delimited(char('\''), take_till(|c| c == '\''), char('\''));
    alt((quoted, map(take_while(|c| c != '#'), str::trim_end))).parse(text)
}

/// Bytes: a number with or without a unit. `k`, `m`, `g` and those with `iB` count in 1024s, those
/// with `B` in thousands, as in RabbitMQ.
pub fn bytes(text: &str) -> Option<u64> {
    let unit = |name: &'static str, factor: u64| value(factor, tag(name));
    let units = alt((
        alt((
            unit("KiB", 1 << 10),
            unit("MiB", 1 << 20),
            unit("GiB", 1 << 30),
            unit("TiB", 1 << 40),
        )),
        alt((unit("kiB", 1 << 10), unit("kB", 1000), unit("KB", 1000), unit("MB", 1_000_000))),
        alt((unit("GB", 1_000_000_000), unit("TB", 1_000_000_000_000))),
        alt((unit("k", 1 << 10), unit("K", 1 << 10), unit("m", 1 << 20), unit("M", 1 << 20))),
        alt((unit("g", 1 << 30), unit("G", 1 << 30), unit("t", 1 << 40), unit("T", 1 << 40))),
    ));
    let number = map_res(digit1, str::parse::<u64>);
    let size = pair(terminated(number, space0), opt(units));
    let sized: IResult<&str, _> = all_consuming(size).parse(text.trim());
    let (_, (number, factor)) = sized.ok()?;
    number.checked_mul(factor.unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_example() {
        let text = "# ports\nlisteners.tcp.default=5672 # here\n\n  default_pass = 'a # b'\n\
                    default_user =  me \nempty =";
        let entry = |line, key, value| Entry { line, key, value };
        assert_eq!(
            entries(text),
            Ok(vec![
                entry(2, "listeners.tcp.default", "5672"),
                entry(4, "default_pass", "a # b"),
                entry(5, "default_user", "me"),
                entry(6, "empty", ""),
            ])
        );
        assert_eq!(entries("a = 1\n[section]"), Err(2));
        assert_eq!(entries("a = 'open"), Ok(vec![entry(1, "a", "'open")]));
    }

    #[test]
    fn sizes() {
        for (text, size) in [
            ("10", 10),
            ("50MB", 50_000_000),
            ("1GiB", 1 << 30),
            ("2 GB", 2_000_000_000),
            ("3k", 3072),
            ("1g", 1 << 30),
        ] {
            assert_eq!(bytes(text), Some(size), "{text}");
        }
        for text in ["", "MB", "1.5GB", "1 XB", "-1", "99999999999999999999", "99999999999999TB"] {
            assert_eq!(bytes(text), None, "{text}");
        }
    }

    proptest! {
        /// Whatever is written down is read again, whatever space and comments stand around it.
        #[test]
        fn written_and_read(
            settings in prop::collection::vec(
                ("[a-z_]{1,8}(\\.[a-z0-9_]{1,8}){0,3}", "[ -\"$-&(-~]{0,20}", " {0,3}", "(#.{0,9})?"),
                0..20,
            )
        ) {
            let mut text = String::new();
            for (key, value, space, comment) in &settings {
                let value = value.trim();
                text += &format!("{space}{key}{space}={space}{value}{space}{comment}\n");
            }
            let read = entries(&text).expect("it is well written");
            let read: Vec<_> = read.iter().map(|each| (each.key, each.value)).collect();
            let wrote: Vec<_> =
                settings.iter().map(|(key, value, ..)| (key.as_str(), value.trim())).collect();
            prop_assert_eq!(read, wrote);
        }

        /// Nothing makes it panic, and a refused line is one of the text's.
        #[test]
        fn any_text(text in "(.|\n){0,200}") {
            if let Err(line) = entries(&text) {
                prop_assert!(line >= 1 && line <= text.lines().count());
            }
            let _ = bytes(&text);
        }
    }
}
