//! The regular expressions that say which names a user may use.

use std::fmt;

use fancy_regex::{Regex, RegexBuilder};

/// How many steps a match with look-around or back-references may take; then it is none.
const STEPS: usize = 100_000;

/// Which names a user may use: a regular expression that matches anywhere in the name. An empty
/// one matches no name, as with RabbitMQ, which reads it as `^$`.
///
/// Look-around and back-references work as in RabbitMQ's PCRE.
#[derive(Clone)]
pub struct Pattern {
    text: Box<str>,
    /// Boxed: it is several hundred bytes long.
    regex: Option<Box<Regex>>,
}

/// Text that is no regular expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid regular expression '{pattern}': {why}")]
pub struct BadPattern {
    /// The text.
    pub pattern: String,
    /// What is wrong with it.
    pub why: String,
}

impl Pattern {
    /// Reads a pattern.
    pub fn parse(text: &str) -> Result<Self, BadPattern> {
        let regex = if text.is_empty() { None } else { Some(compiled(text, text)?.into()) };
        Ok(Self { text: text.into(), regex })
    }

    /// Whether a name is among those meant.
    pub fn matches(&self, name: &str) -> bool {
        match &self.regex {
            Some(regex) => regex.is_match(name).unwrap_or(false),
            None => name.is_empty(),
        }
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

/// A pattern of routing keys, in which `{username}`, `{vhost}` and `{client_id}` stand for what
/// they are in the connection that asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicPattern(Box<str>);

impl TopicPattern {
    /// Reads a pattern.
    pub fn parse(text: &str) -> Result<Self, BadPattern> {
        if !text.is_empty() {
            compiled(&filled_in(text, &["", "", ""].map(Some)), text)?;
        }
        Ok(Self(text.into()))
    }

    /// The pattern of one connection. What has no `client_id` keeps the placeholder, which
    /// matches nothing but itself, as with RabbitMQ. The values match literally, whatever
    /// characters they have; RabbitMQ takes them for a part of the expression.
    pub fn of(&self, user: &str, vhost: &str, client_id: Option<&str>) -> Pattern {
        let filled = filled_in(&self.0, &[Some(user), Some(vhost), client_id]);
        // A value is escaped, so what was a pattern with empty values is one with these.
        Pattern::parse(&filled).unwrap_or(Pattern { text: "".into(), regex: None })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn filled_in(text: &str, values: &[Option<&str>; 3]) -> String {
    let mut filled = text.to_owned();
    for (name, value) in ["{username}", "{vhost}", "{client_id}"].into_iter().zip(values) {
        let value = value.unwrap_or(name);
        filled = filled.replace(name, &format!("(?:{})", fancy_regex::escape(value)));
    }
    filled
}

fn compiled(regex: &str, pattern: &str) -> Result<Regex, BadPattern> {
    let regex = RegexBuilder::new(regex).backtrack_limit(STEPS).build();
    regex.map_err(|why| BadPattern { pattern: pattern.into(), why: why.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        Pattern::parse(pattern).expect("good").matches(name)
    }

    #[test]
    fn anywhere_in_the_name_unless_it_is_anchored() {
        assert!(matches(".*", ""));
        assert!(matches(".*", "anything"));
        assert!(matches("der", "orders"));
        assert!(!matches("^der", "orders"));
        assert!(matches("^(orders|amq\\.default)$", "amq.default"));
        assert!(matches("^(?!amq\\.).*", "orders"));
        assert!(!matches("^(?!amq\\.).*", "amq.topic"));
        assert!(matches("^{a}$", "{a}"), "no quantifier");
    }

    #[test]
    fn empty_is_no_name() {
        assert!(!matches("", "a"));
        assert!(matches("", ""));
    }

    #[test]
    fn what_is_no_expression() {
        for text in ["(", "[", "*", "\\"] {
            let bad = Pattern::parse(text).expect_err("bad");
            assert_eq!(bad.pattern, text);
        }
    }

    #[test]
    fn a_pattern_that_would_take_for_ever_matches_nothing() {
        let name = "a".repeat(200);
        assert!(!matches("^(?=(a+)+b)(a+)+$", &name));
    }

    #[test]
    fn placeholders() {
        let pattern = TopicPattern::parse("^{vhost}\\.{username}\\..+").expect("good");
        let of = |user, vhost| pattern.of(user, vhost, None);
        assert!(of("anna", "v").matches("v.anna.x"));
        assert!(!of("anna", "v").matches("v.otto.x"));
        // A name is a name, not an expression.
        assert!(!of(".*", "v").matches("v.otto.x"));
        let device = TopicPattern::parse("^{client_id}$").expect("good");
        assert!(device.of("anna", "v", Some("(1")).matches("(1"));
        assert!(!device.of("anna", "v", None).matches("anna"));
        assert!(!TopicPattern::parse("").expect("good").of("anna", "v", None).matches("x"));
        assert!(TopicPattern::parse("{username}(").is_err());
    }
}
