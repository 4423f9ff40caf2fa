//! How much a vhost or a user may have: limits by name.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::policy::proplist::{Needed, Rule, check};
use crate::policy::{Invalid, Term};

/// How many connections there may be in a vhost, or of a user.
pub const MAX_CONNECTIONS: &str = "max-connections";
/// How many queues a vhost may have.
pub const MAX_QUEUES: &str = "max-queues";
/// How many channels a user may have open, on all connections together.
pub const MAX_CHANNELS: &str = "max-channels";

/// How many messages may be published in a second, in a vhost or by a user. Not in RabbitMQ.
pub const MAX_MESSAGES_PER_SECOND: &str = "max-messages-per-second";
/// How many bytes publishers may send in a second, in a vhost or as a user. Not in RabbitMQ.
pub const MAX_BYTES_PER_SECOND: &str = "max-bytes-per-second";

/// The component of the parameter that RabbitMQ keeps a vhost's limits in.
pub const VHOST_LIMITS: &str = "vhost-limits";
/// The name of that parameter.
pub const LIMITS: &str = "limits";

/// Limits as they were set. A negative one is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits(BTreeMap<String, i64>);

/// Whom limits are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitsOf {
    /// A vhost: [`MAX_CONNECTIONS`], [`MAX_QUEUES`], and the rates.
    Vhost,
    /// A user: [`MAX_CONNECTIONS`], [`MAX_CHANNELS`], and the rates.
    User,
}

impl LimitsOf {
    fn rules(self) -> [(&'static str, Rule, Needed); 4] {
        let second = match self {
            Self::Vhost => MAX_QUEUES,
            Self::User => MAX_CHANNELS,
        };
        [MAX_CONNECTIONS, second, MAX_MESSAGES_PER_SECOND, MAX_BYTES_PER_SECOND]
            .map(|name| (name, Rule::Integer, Needed::Optional))
    }

    /// What RabbitMQ's texts call them.
    fn name(self) -> &'static str {
        match self {
            Self::Vhost => LIMITS,
            Self::User => "user-limits",
        }
    }
}

impl Limits {
    /// Reads limits as definitions have them: whole numbers by name.
    pub fn read(of: LimitsOf, said: &Map<String, Value>) -> Result<Self, Invalid> {
        let wrong = check(of.name(), &of.rules(), said);
        if !wrong.is_empty() {
            return Err(match of {
                LimitsOf::Vhost => Invalid::Values(wrong),
                LimitsOf::User => Invalid::Bare(wrong),
            });
        }
        let number = |value: &Value| value.as_i64().unwrap_or(i64::MAX);
        Ok(Self(said.iter().map(|(name, value)| (name.clone(), number(value))).collect()))
    }

    /// Reads a vhost's limits as the value of a parameter [`VHOST_LIMITS`].
    pub fn of_parameter(name: &str, value: &Value) -> Result<Self, Invalid> {
        if name != LIMITS {
            // RabbitMQ answers 500, and keeps it.
            return Err(Invalid::values(vec![format!("{VHOST_LIMITS} has no parameter {name}")]));
        }
        let Value::Object(said) = value else {
            return Err(Invalid::values(vec![format!("{name} not a list {}", Term(value))]));
        };
        Self::read(LimitsOf::Vhost, said)
    }

    /// The same with one of them set.
    pub fn with(&self, of: LimitsOf, name: &str, value: &Value) -> Result<Self, Invalid> {
        let said = Map::from_iter([(name.to_owned(), value.clone())]);
        let new = Self::read(of, &said)?;
        Ok(Self(self.0.clone().into_iter().chain(new.0).collect()))
    }

    /// The same without one of them.
    #[must_use]
    pub fn without(&self, name: &str) -> Self {
        let mut left = self.0.clone();
        left.remove(name);
        Self(left)
    }

    /// The limit of a name, if there is one.
    pub fn get(&self, name: &str) -> Option<u64> {
        self.0.get(name).and_then(|limit| u64::try_from(*limit).ok())
    }

    /// Whether `count` is as many as there may be; then says how many that is.
    pub fn is_reached(&self, name: &str, count: usize) -> Option<u64> {
        self.get(name).filter(|limit| count as u64 >= *limit)
    }

    /// As they were set.
    pub fn iter(&self) -> impl Iterator<Item = (&str, i64)> {
        self.0.iter().map(|(name, limit)| (name.as_str(), *limit))
    }

    /// Whether none was set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As the API and definitions have them.
    pub fn to_json(&self) -> Map<String, Value> {
        self.iter().map(|(name, limit)| (name.to_owned(), limit.into())).collect()
    }

    /// What was checked when it was written down.
    pub(super) fn restored(limits: BTreeMap<String, i64>) -> Self {
        Self(limits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn vhost(name: &str, value: &Value) -> Result<Limits, String> {
        Limits::default().with(LimitsOf::Vhost, name, value).map_err(|why| why.to_string())
    }

    /// Compared with RabbitMQ 4.3.6.
    #[test]
    fn what_is_no_limit() {
        for (value, said) in
            [(json!("5"), r#"<<"5">>"#), (json!(1.5), "1.5"), (Value::Null, "null")]
        {
            let text = format!(
                "Validation failed\n\nmax-queues should be a number, actually was {said}\n"
            );
            assert_eq!(vhost(MAX_QUEUES, &value), Err(text));
        }
        let unknown = "Unrecognised terms [{<<\"nonsense\">>,1}] in";
        let text = format!("Validation failed\n\n{unknown} limits\n");
        assert_eq!(vhost("nonsense", &json!(1)), Err(text));
        let user = |name, value| Limits::default().with(LimitsOf::User, name, &value);
        let text = |refused: Result<Limits, Invalid>| refused.expect_err("refused").to_string();
        assert_eq!(text(user("nonsense", json!(1))), format!("{unknown} user-limits"));
        assert_eq!(
            text(user(MAX_CHANNELS, json!("x"))),
            r#"max-channels should be a number, actually was <<"x">>"#
        );
        assert!(user(MAX_QUEUES, json!(1)).is_err());
    }

    #[test]
    fn a_limit_is_reached_by_as_many_and_a_negative_one_never() {
        let limits = vhost(MAX_QUEUES, &json!(2)).expect("good");
        let reached = [1, 2, 3].map(|count| limits.is_reached(MAX_QUEUES, count));
        assert_eq!(reached, [None, Some(2), Some(2)]);
        assert_eq!(limits.is_reached(MAX_CONNECTIONS, 1000), None);
        let none = vhost(MAX_QUEUES, &json!(-1)).expect("good");
        assert_eq!(none.is_reached(MAX_QUEUES, 1000), None);
        assert_eq!(Value::Object(none.to_json()), json!({"max-queues": -1}));
        let zero = vhost(MAX_QUEUES, &json!(0)).expect("good");
        assert_eq!(zero.is_reached(MAX_QUEUES, 0), Some(0));
    }

    #[test]
    fn one_is_set_and_cleared_without_the_other() {
        let both = vhost(MAX_QUEUES, &json!(2)).expect("good");
        let both = both.with(LimitsOf::Vhost, MAX_CONNECTIONS, &json!(3)).expect("good");
        assert_eq!(Value::Object(both.to_json()), json!({"max-connections": 3, "max-queues": 2}));
        let one = both.without(MAX_QUEUES).without("nonsense");
        assert_eq!(Value::Object(one.to_json()), json!({"max-connections": 3}));
    }
}
