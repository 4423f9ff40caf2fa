//! Objects whose keys are known, checked as RabbitMQ checks them
//! (`rabbit_parameter_validation:proplist/3`).

use serde_json::{Map, Value};

use super::term::{Term, pairs};
use super::{ApplyTo, Pattern};

/// What a value has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Any number.
    Number,
    /// A whole number.
    Integer,
    /// True or false.
    Boolean,
    /// Text.
    Text,
    /// Text, or a list of texts.
    TextOrList,
    /// A list.
    List,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A regular expression.
    Pattern,
    /// What a policy applies to.
    ApplyTo,
    /// Anything.
    Any,
}

/// Whether a key has to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needed {
    /// It has to.
    Mandatory,
    /// It may be left out.
    Optional,
}

/// Says what is wrong with an object, in RabbitMQ's order: what is not known, then the last key
/// first. `name` is whose object it is.
pub fn check(name: &str, rules: &[(&str, Rule, Needed)], said: &Map<String, Value>) -> Vec<String> {
    let unknown = |key: &String| rules.iter().all(|(known, ..)| known != key);
    let mut wrong = Vec::new();
    if said.keys().any(unknown) {
        let unknown = pairs(said.iter().filter(|(key, _)| unknown(key)));
        wrong.push(format!("Unrecognised terms {unknown} in {name}"));
    }
    for (key, rule, needed) in rules.iter().rev() {
        match said.get(*key) {
            Some(value) => wrong.extend(rule.complaint(key, value)),
            None if *needed == Needed::Mandatory => {
                wrong.push(format!("Key \"{key}\" not found in {name}"));
            }
            None => {}
        }
    }
    wrong
}

impl Rule {
    fn complaint(self, key: &str, value: &Value) -> Option<String> {
        let unless = |right: bool, wanted: &str| {
            (!right).then(|| format!("{key} should be {wanted}, actually was {}", Term(value)))
        };
        match self {
            Self::Number => unless(value.is_number(), "a number"),
            // RabbitMQ says "a number" here too.
            Self::Integer => unless(value.is_i64() || value.is_u64(), "a number"),
            Self::Boolean => unless(value.is_boolean(), "boolean"),
            Self::Text => unless(value.is_string(), "binary"),
            Self::List => unless(value.is_array(), "list"),
            Self::TextOrList => {
                let texts = value.as_array().is_some_and(|all| all.iter().all(Value::is_string));
                unless(value.is_string() || texts, "list")
            }
            Self::OneOf(words) => {
                let right = value.as_str().is_some_and(|word| words.contains(&word));
                let words: Vec<_> = words.iter().map(|word| format!("<<\"{word}\">>")).collect();
                unless(right, &format!("one of [{}]", words.join(",")))
            }
            Self::Pattern => match value.as_str() {
                Some(text) => Pattern::parse(text).err(),
                None => Some(format!("{key} should be a binary but was {}", Term(value))),
            },
            Self::ApplyTo => {
                let known = value.as_str().and_then(ApplyTo::of_name).is_some();
                let said = value.as_str().map_or_else(|| Term(value).to_string(), str::to_owned);
                (!known).then(|| {
                    // The two blanks are RabbitMQ's.
                    format!(
                        "apply-to '{said}' unrecognised; should be one of: 'queues', \
                         'classic_queues',  'quorum_queues', 'streams', 'exchanges', or 'all'"
                    )
                })
            }
            Self::Any => None,
        }
    }
}
