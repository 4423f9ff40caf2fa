//! Values as RabbitMQ prints them in its texts: as Erlang terms.
//!
//! RabbitMQ breaks long terms into lines; here a term stays on one line.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use crate::wire::table::Value;

/// Bytes as Erlang's `~ts` prints a binary: UTF-8, or else Latin-1.
pub fn text(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => bytes.iter().copied().map(char::from).collect::<String>().into(),
    }
}

/// A value as Erlang's `~tp` prints it, without its type; types of nested values are shown.
#[derive(Clone, Copy, Debug)]
pub struct Term<'a>(pub Value<'a>);

/// A string as Erlang's `~p` prints it: quoted if it is printable Latin-1, else as a list.
#[derive(Clone, Copy, Debug)]
pub struct CharList<'a>(pub &'a str);

impl fmt::Display for Term<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Bool(flag) => write!(f, "{flag}"),
            Value::I8(number) => write!(f, "{number}"),
            Value::U8(number) => write!(f, "{number}"),
            Value::I16(number) => write!(f, "{number}"),
            Value::U16(number) => write!(f, "{number}"),
            Value::I32(number) => write!(f, "{number}"),
            Value::U32(number) => write!(f, "{number}"),
            Value::I64(number) => write!(f, "{number}"),
            Value::F32(number) => f.write_str(&float(number.into())),
            Value::F64(number) => f.write_str(&float(number)),
            Value::Decimal { scale, digits } => write!(f, "{{{scale},{digits}}}"),
            Value::Text(bytes) | Value::Bytes(bytes) => binary(bytes, f),
            Value::Timestamp(seconds) => write!(f, "{seconds}"),
            Value::Void => f.write_str("undefined"),
            Value::Array(array) => list(f, array.iter(), |f, value| {
                write!(f, "{{{},{}}}", value.type_name(), Term(value))
            }),
            Value::Table(table) => list(f, table.iter(), |f, (key, value)| {
                f.write_str("{")?;
                binary(key.as_bytes(), f)?;
                write!(f, ",{},{}}}", value.type_name(), Term(value))
            }),
        }
    }
}

impl fmt::Display for CharList<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.chars().all(|c| printable(c) && c <= '\u{FF}') {
            quoted(self.0, f)
        } else {
            list(f, self.0.chars(), |f, c| write!(f, "{}", u32::from(c)))
        }
    }
}

fn list<T>(
    f: &mut fmt::Formatter<'_>,
    items: impl Iterator<Item = T>,
    mut write: impl FnMut(&mut fmt::Formatter<'_>, T) -> fmt::Result,
) -> fmt::Result {
    f.write_char('[')?;
    for (n, item) in items.enumerate() {
        if n > 0 {
            f.write_char(',')?;
        }
        write(f, item)?;
    }
    f.write_char(']')
}

/// `<<"text">>`, `<<"tëxt"/utf8>>`, or `<<1,2,3>>`.
fn binary(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if bytes.is_empty() {
        return f.write_str("<<>>");
    }
    let text = text(bytes);
    f.write_str("<<")?;
    if text.chars().all(printable) {
        quoted(&text, f)?;
        if matches!(text, Cow::Borrowed(_)) && !text.is_ascii() {
            f.write_str("/utf8")?;
        }
    } else {
        for (n, byte) in bytes.iter().enumerate() {
            write!(f, "{}{byte}", if n > 0 { "," } else { "" })?;
        }
    }
    f.write_str(">>")
}

fn quoted(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        match escape(c) {
            Some(letter) => write!(f, "\\{letter}")?,
            None => f.write_char(c)?,
        }
    }
    f.write_char('"')
}

/// What stands behind the backslash, if a character needs one.
fn escape(c: char) -> Option<char> {
    Some(match c {
        '"' | '\\' => c,
        '\n' => 'n',
        '\r' => 'r',
        '\t' => 't',
        '\u{B}' => 'v',
        '\u{8}' => 'b',
        '\u{C}' => 'f',
        '\u{1B}' => 'e',
        _ => return None,
    })
}

/// What Erlang takes for printable (`io_lib:printable_unicode_list/1`).
fn printable(c: char) -> bool {
    let character = matches!(c, ' '..='~' | '\u{A0}'..='\u{FFFD}' | '\u{10000}'..);
    character || escape(c).is_some()
}

/// A float as Erlang prints it: the fewest digits that read back the same, with an exponent
/// where that is shorter (`io_lib_format:fwrite_g/1`).
fn float(number: f64) -> String {
    let scientific = format!("{number:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return scientific; // not a number, or infinite: no Erlang float
    };
    let exponent: i32 = exponent.parse().expect("a float's exponent is a number");
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |m| ("-", m));
    let digits = mantissa.replace('.', "");
    let len = i32::try_from(digits.len()).expect("a float has few digits");
    let place = exponent + 1; // how many of the digits stand before the point
    let cost = exponent.to_string().len() + if len == 1 { 3 } else { 2 };
    let zeros = |n: i32| "0".repeat(usize::try_from(n).unwrap_or(0));
    let plain = match place {
        1.. if place < len => {
            let (whole, part) = digits.split_at(usize::try_from(place).unwrap_or(0));
            Some(format!("{whole}.{part}"))
        }
        1.. => (fits(place - len + 2, cost) && number.abs() < 2f64.powi(53))
            .then(|| format!("{digits}{}.0", zeros(place - len))),
        0 => Some(format!("0.{digits}")),
        _ => fits(2 - place, cost).then(|| format!("0.{}{digits}", zeros(-place))),
    };
    let text = plain.unwrap_or_else(|| {
        let (first, rest) = digits.split_at(1);
        format!("{first}.{}e{exponent}", if rest.is_empty() { "0" } else { rest })
    });
    format!("{sign}{text}")
}

fn fits(extra: i32, cost: usize) -> bool {
    usize::try_from(extra).is_ok_and(|extra| extra <= cost)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compared with Erlang/OTP 29; of 40,000 random floats 6 came out differently, all of them
    /// with two shortest spellings equally near.
    #[test]
    fn floats_have_a_point_and_few_digits() {
        for (number, text) in [
            (0.0, "0.0"),
            (-1.0, "-1.0"),
            (0.1, "0.1"),
            (0.001, "0.001"),
            (0.00001, "1.0e-5"),
            (1.25e-4, "1.25e-4"),
            (0.012345, "0.012345"),
            (100.0, "100.0"),
            (1000.0, "1.0e3"),
            (60_000.0, "6.0e4"),
            (1_234_560.0, "1234560.0"),
            (123_456_789.125, "123456789.125"),
            (9_007_199_254_740_991.0, "9007199254740991.0"),
            (9_007_199_254_740_992.0, "9.007199254740992e15"),
            (1e22, "1.0e22"),
            (5e-324, "5.0e-324"),
            (f64::MAX, "1.7976931348623157e308"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(float(number), text);
        }
    }
}
