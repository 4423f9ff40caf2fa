//! What a publisher may say about a message: who they are, how long it lives, where else it goes.

use super::fault::Fault;
use crate::wire::content::Properties;
use crate::wire::table::Value;

/// The longest time to live, in milliseconds: ten years, as RabbitMQ's.
const LONGEST_EXPIRATION: i64 = 315_360_000_000;

/// Checks the properties that are claims or orders to the broker. `user` is who they may claim to
/// be, `None` for those who may claim to be anybody; it is asked for only if they do claim that.
#[inline]
pub fn check<'a>(
    properties: &Properties<'_>,
    user: impl FnOnce() -> Option<&'a str>,
) -> Result<(), Fault> {
    if let Some(claimed) = properties.user_id
        && let Some(user) = user()
        && claimed != user.as_bytes()
    {
        return Err(Fault::wrong_user_id(String::from_utf8_lossy(claimed), user));
    }
    match properties.expiration {
        Some(expiration) => expiration_ms(expiration).map(|_| ()),
        None => Ok(()),
    }
}

/// A message's time to live in milliseconds.
pub fn expiration_ms(expiration: &[u8]) -> Result<u64, Fault> {
    let text = String::from_utf8_lossy(expiration);
    let digits_at = usize::from(text.starts_with(['+', '-']));
    let end = text[digits_at..].find(|c: char| !c.is_ascii_digit());
    let end = end.map_or(text.len(), |end| digits_at + end);
    let refused = |why: String| Err(Fault::invalid_expiration(&text, why));
    if end == digits_at {
        return refused("no_integer".into());
    }
    if end < text.len() {
        return refused(format!("{{leftover_string,\"{}\"}}", &text[end..]));
    }
    match text.parse::<i64>() {
        Ok(ms @ ..0) => refused(format!("{{value_negative,{ms}}}")),
        Ok(ms) if ms <= LONGEST_EXPIRATION => Ok(ms.unsigned_abs()),
        Ok(_) | Err(_) => refused(format!("{{value_too_large,{}}}", text.trim_start_matches('+'))),
    }
}

/// Further routing keys: the CC and BCC headers (sender-selected distribution).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MoreKeys<'a> {
    /// All of them.
    pub keys: Vec<&'a [u8]>,
    /// Some are in BCC, which no receiver may see.
    pub blind: bool,
}

/// Reads the CC and BCC headers. What is no string in their arrays is passed over.
pub fn more_keys<'a>(properties: &Properties<'a>) -> Result<MoreKeys<'a>, Fault> {
    let mut more = MoreKeys::default();
    let Some(headers) = properties.headers else { return Ok(more) };
    for name in ["CC", "BCC"] {
        match headers.get(name) {
            None => {}
            Some(Value::Array(array)) => {
                more.blind |= name == "BCC";
                let text = array.iter().filter_map(|each| each.as_bytes_of_text());
                more.keys.extend(text.filter(|key| key.len() <= usize::from(u8::MAX)));
            }
            Some(other) => return Err(Fault::invalid_routing_header(name, other.type_name())),
        }
    }
    Ok(more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expirations_are_whole_numbers_of_milliseconds() {
        for (text, ms) in [("0", 0), ("60000", 60_000), ("+1", 1), ("007", 7)] {
            assert_eq!(expiration_ms(text.as_bytes()), Ok(ms));
        }
        for (text, why) in [
            ("", "no_integer"),
            ("abc", "no_integer"),
            (" 1", "no_integer"),
            ("-1", "{value_negative,-1}"),
            ("1.5", "{leftover_string,\".5\"}"),
            ("10s", "{leftover_string,\"s\"}"),
            ("3153600000000", "{value_too_large,3153600000000}"),
            ("18446744073709551616", "{value_too_large,18446744073709551616}"),
        ] {
            let fault = expiration_ms(text.as_bytes()).expect_err("refused");
            assert_eq!(fault.explanation, format!("invalid expiration '{text}': {why}"));
        }
    }

    #[test]
    fn a_user_id_is_ones_own() {
        let claims = |user_id| Properties { user_id, ..Properties::default() };
        let guest = || Some("guest");
        assert!(check(&claims(None), guest).is_ok());
        assert!(check(&claims(Some(b"guest")), guest).is_ok());
        assert!(check(&claims(Some(b"other")), guest).is_err());
        assert!(check(&claims(Some(b"other")), || None).is_ok(), "an impersonator");
    }
}
