//! Policies: settings given to queues and exchanges by their names' pattern, from outside.
//!
//! Owns what a policy may say ([`Policy::read`] refuses with RabbitMQ's texts), which one governs
//! an object ([`Policies::first_for`]), and what comes out when declared arguments, a policy and
//! an operator policy speak at once ([`effective`]). It must not know where objects are kept or
//! how queues obey.
//!
//! ```
//! # use warren::policy::{Class, Object, Policies, Policy};
//! # use warren::queue::options::QueueKind;
//! let body = serde_json::json!({"pattern": "^orders", "definition": {"max-length": 9}});
//! let policy = Policy::read(Class::User, "short", body.as_object().unwrap()).unwrap();
//! let mut policies = Policies::default();
//! policies.put(policy);
//! let orders = Object::Queue { name: "orders.eu", kind: QueueKind::Classic };
//! assert_eq!(policies.first_for(orders).unwrap().name, "short");
//! ```
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod definition;
pub mod effective;
mod invalid;
mod keys;
mod pattern;
pub mod proplist;
mod ranking;
mod term;
#[cfg(test)]
mod tests;

use serde_json::{Map, Number, Value};

pub use definition::Definition;
pub use effective::Governing;
pub use invalid::Invalid;
pub use pattern::Pattern;
pub use ranking::Policies;
pub use term::Term;

use crate::queue::options::QueueKind;
use proplist::{Needed, Rule, check};

/// A policy, or an operator policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Its name, unique in its vhost among those of its class.
    pub name: String,
    /// The names of what it governs.
    pub pattern: Pattern,
    /// What kinds of objects it governs.
    pub apply_to: ApplyTo,
    /// What it says.
    pub definition: Definition,
    /// The highest one wins. Any number, as it was written.
    pub priority: Number,
}

/// Whose policy it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Users' (`/policies`).
    User,
    /// The operator's (`/operator-policies`): fewer keys, and where both speak, limits hold.
    Operator,
}

/// What kinds of objects a policy governs (`apply-to`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ApplyTo {
    /// Queues and exchanges.
    #[default]
    All,
    /// Exchanges.
    Exchanges,
    /// Queues of any kind.
    Queues,
    /// Queues of one kind.
    QueuesOf(QueueKind),
}

/// Something that a policy may govern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Object<'a> {
    /// An exchange.
    Exchange {
        /// Its name.
        name: &'a str,
    },
    /// A queue.
    Queue {
        /// Its name.
        name: &'a str,
        /// What kind it is.
        kind: QueueKind,
    },
}

/// What the body of a PUT may say beside keys that nobody knows, in RabbitMQ's order.
const RULES: &[(&str, Rule, Needed)] = &[
    ("priority", Rule::Number, Needed::Optional),
    ("pattern", Rule::Pattern, Needed::Mandatory),
    ("apply-to", Rule::ApplyTo, Needed::Optional),
];

impl Policy {
    /// Reads a policy as the HTTP API and definitions have it: `pattern` and `definition`, and
    /// perhaps `priority` (0) and `apply-to` (`all`). Other keys are ignored.
    pub fn read(class: Class, name: &str, body: &Map<String, Value>) -> Result<Self, Invalid> {
        for key in ["pattern", "definition"] {
            if !body.contains_key(key) {
                return Err(Invalid::missing(key));
            }
        }
        let known = body.iter().filter(|(key, _)| RULES.iter().any(|(known, ..)| known == key));
        let known = known.map(|(key, value)| (key.clone(), value.clone())).collect();
        let definition = &body["definition"];
        let mut wrong: Vec<String> = match definition.as_object() {
            Some(said) => Definition::check(class, said).err().into_iter().collect(),
            None => vec![format!("definition must be a dictionary: {}", Term(definition))],
        };
        wrong.extend(check(name, RULES, &known));
        if !wrong.is_empty() {
            return Err(Invalid::values(wrong));
        }
        let text = |key| body.get(key).and_then(Value::as_str);
        let pattern = Pattern::parse(text("pattern").unwrap_or_default());
        Ok(Self {
            name: name.into(),
            pattern: pattern.map_err(|why| Invalid::values(vec![why]))?,
            apply_to: text("apply-to").and_then(ApplyTo::of_name).unwrap_or_default(),
            definition: Definition::of(definition.as_object().cloned().unwrap_or_default()),
            priority: match body.get("priority") {
                Some(Value::Number(number)) => number.clone(),
                Some(_) | None => 0.into(),
            },
        })
    }

    /// Whether it governs an object, unless another one comes first.
    ///
    /// As with RabbitMQ, one key that a kind of queue cannot obey keeps all of the policy away
    /// from such queues; exchanges are governed by whatever does not say `queues`, also if it says
    /// nothing that concerns an exchange.
    pub fn governs(&self, object: Object<'_>) -> bool {
        match object {
            Object::Exchange { name } => {
                matches!(self.apply_to, ApplyTo::All | ApplyTo::Exchanges)
                    && self.pattern.matches(name)
            }
            Object::Queue { name, kind } => {
                let meant = match self.apply_to {
                    ApplyTo::All | ApplyTo::Queues => true,
                    ApplyTo::QueuesOf(this) => this == kind,
                    ApplyTo::Exchanges => false,
                };
                meant && self.definition.fits(kind) && self.pattern.matches(name)
            }
        }
    }

    fn rank(&self) -> f64 {
        self.priority.as_f64().unwrap_or(0.0)
    }
}

impl Class {
    /// How runtime parameters call it.
    pub fn component(self) -> &'static str {
        match self {
            Self::User => "policy",
            Self::Operator => "operator_policy",
        }
    }
}

impl ApplyTo {
    const ALL: [Self; 6] = [
        Self::All,
        Self::Exchanges,
        Self::Queues,
        Self::QueuesOf(QueueKind::Classic),
        Self::QueuesOf(QueueKind::Quorum),
        Self::QueuesOf(QueueKind::Stream),
    ];

    /// The name in policies.
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Exchanges => "exchanges",
            Self::Queues => "queues",
            Self::QueuesOf(QueueKind::Classic) => "classic_queues",
            Self::QueuesOf(QueueKind::Quorum) => "quorum_queues",
            Self::QueuesOf(QueueKind::Stream) => "streams",
        }
    }

    /// What a name means.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|each| each.name() == name)
    }
}
