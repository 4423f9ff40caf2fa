//! The regular expressions that say what a policy governs.

use std::fmt;

use fancy_regex::{Regex, RegexBuilder};

use crate::queue::options::erlang_term::CharList;

/// How many steps a match with look-around or back-references may take; then it is none.
const STEPS: usize = 100_000;

/// A pattern of names: it matches anywhere in a name unless it is anchored, and an empty one
/// matches every name.
///
/// Look-around and back-references work as in RabbitMQ's PCRE. What differs: a brace that is no
/// quantifier has to be escaped, `.` and `\w` mean characters where RabbitMQ means bytes, and a
/// match that would take for ever is none.
#[derive(Clone)]
pub struct Pattern {
    text: Box<str>,
    regex: Regex,
}

impl Pattern {
    /// Reads a pattern, or says as RabbitMQ does what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let regex = RegexBuilder::new(text).backtrack_limit(STEPS).build().map_err(|why| {
            let why = why.to_string();
            let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ");
            format!(
                "pattern should be regular expression but is invalid: {{{},{}}}",
                CharList(why),
                text.len()
            )
        })?;
        Ok(Self { text: text.into(), regex })
    }

    /// Whether a name is meant.
    pub fn matches(&self, name: &str) -> bool {
        self.regex.is_match(name).unwrap_or(false)
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
