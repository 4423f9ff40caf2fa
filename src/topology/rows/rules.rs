//! Policies, parameters, limits and vhosts as rows.
//!
//! ```text
//! V vhost                  → description, tags, kind of queues, flags, limits
//! p vhost name             → pattern, apply-to, priority, definition
//! o vhost name             → the same, of an operator policy
//! m vhost component name   → value
//! g name                   → value
//! l user                   → limits
//! ```
//!
//! Values that are JSON are written as JSON text.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

use super::{BadRow, RowChange, decoded, keyed, named, versioned};
use crate::names::{UserName, VhostName};
use crate::policy::{ApplyTo, Class, Definition, Pattern, Policy};
use crate::queue::options::QueueKind;
use crate::topology::limits::Limits;
use crate::topology::properties::Properties;

/// One of them, read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// A vhost.
    Vhost(VhostName, Properties),
    /// A policy, or an operator policy.
    Policy(VhostName, Class, Policy),
    /// A runtime parameter.
    Parameter {
        /// Where.
        vhost: VhostName,
        /// Whose.
        component: String,
        /// Its name.
        name: String,
        /// What it says.
        value: Value,
    },
    /// A global parameter.
    Global(String, Value),
    /// The limits of a user.
    UserLimits(UserName, Limits),
}

#[derive(Serialize, Deserialize)]
struct VhostValue {
    description: String,
    tags: Vec<String>,
    default_queue_type: Option<String>,
    protected: bool,
    tracing: bool,
    limits: BTreeMap<String, i64>,
}

#[derive(Serialize, Deserialize)]
struct PolicyValue {
    pattern: String,
    apply_to: String,
    priority: String,
    definition: String,
}

/// A vhost's row.
pub fn vhost(name: &VhostName, properties: &Properties) -> RowChange {
    let value = VhostValue {
        description: properties.description.clone(),
        tags: properties.tags.clone(),
        default_queue_type: properties.default_queue_type.map(|kind| kind.name().into()),
        protected: properties.protected,
        tracing: properties.tracing,
        limits: limits_value(&properties.limits),
    };
    RowChange { key: keyed(b'V', &name.as_str()), value: Some(versioned(&value)) }
}

/// A policy's row.
pub fn policy(vhost: &VhostName, class: Class, policy: &Policy) -> RowChange {
    let value = PolicyValue {
        pattern: policy.pattern.as_str().into(),
        apply_to: policy.apply_to.name().into(),
        priority: policy.priority.to_string(),
        definition: Value::Object(policy.definition.as_map().clone()).to_string(),
    };
    let kind = match class {
        Class::User => b'p',
        Class::Operator => b'o',
    };
    RowChange { key: named(kind, vhost, &policy.name), value: Some(versioned(&value)) }
}

/// A runtime parameter's row.
pub fn parameter(vhost: &VhostName, component: &str, name: &str, value: &Value) -> RowChange {
    let key = keyed(b'm', &(vhost.as_str(), component, name));
    RowChange { key, value: Some(versioned(&value.to_string())) }
}

/// A global parameter's row.
pub fn global(name: &str, value: &Value) -> RowChange {
    RowChange { key: keyed(b'g', &name), value: Some(versioned(&value.to_string())) }
}

/// The row of a user's limits.
pub fn user_limits(user: &UserName, limits: &Limits) -> RowChange {
    let key = keyed(b'l', &user.as_str());
    RowChange { key, value: Some(versioned(&limits_value(limits))) }
}

/// Whether a row's first letter is one of these.
pub(super) fn is_one(kind: u8) -> bool {
    matches!(kind, b'V' | b'p' | b'o' | b'm' | b'g' | b'l')
}

pub(super) fn read(kind: u8, key: &[u8], value: &[u8]) -> Result<Rule, BadRow> {
    match kind {
        b'V' => read_vhost(key, value),
        b'p' => read_policy(Class::User, key, value),
        b'o' => read_policy(Class::Operator, key, value),
        b'm' => {
            let (vhost, component, name): (String, String, String) = decoded(key)?;
            Ok(Rule::Parameter { vhost: vhost.into(), component, name, value: json(value)? })
        }
        b'g' => Ok(Rule::Global(decoded(key)?, json(value)?)),
        b'l' => {
            let user: String = decoded(key)?;
            Ok(Rule::UserLimits(user.into(), Limits::restored(decoded(value)?)))
        }
        _ => Err(BadRow::Unknown),
    }
}

fn read_vhost(key: &[u8], value: &[u8]) -> Result<Rule, BadRow> {
    let (name, value): (String, VhostValue) = (decoded(key)?, decoded(value)?);
    let kind = |name: String| QueueKind::from_name(name.as_bytes()).ok_or(BadRow::Unknown);
    let properties = Properties {
        description: value.description,
        tags: value.tags,
        default_queue_type: value.default_queue_type.map(kind).transpose()?,
        protected: value.protected,
        tracing: value.tracing,
        limits: Limits::restored(value.limits),
    };
    Ok(Rule::Vhost(name.into(), properties))
}

fn read_policy(class: Class, key: &[u8], value: &[u8]) -> Result<Rule, BadRow> {
    let (key, value): (super::Named, PolicyValue) = (decoded(key)?, decoded(value)?);
    let Value::Object(said) = from_json(&value.definition)? else {
        return Err(BadRow::Malformed);
    };
    let definition = Definition::restored(said);
    let policy = Policy {
        name: key.name,
        pattern: Pattern::parse(&value.pattern).map_err(|_| BadRow::Malformed)?,
        apply_to: ApplyTo::of_name(&value.apply_to).ok_or(BadRow::Unknown)?,
        definition,
        priority: value.priority.parse::<Number>().map_err(|_| BadRow::Malformed)?,
    };
    Ok(Rule::Policy(key.vhost.into(), class, policy))
}

fn limits_value(limits: &Limits) -> BTreeMap<String, i64> {
    limits.iter().map(|(name, limit)| (name.to_owned(), limit)).collect()
}

fn json(value: &[u8]) -> Result<Value, BadRow> {
    from_json(&decoded::<String>(value)?)
}

fn from_json(text: &str) -> Result<Value, BadRow> {
    serde_json::from_str(text).map_err(|_| BadRow::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::limits::LimitsOf;
    use crate::topology::rows::{self, Row};
    use serde_json::json;

    fn back(row: &RowChange) -> Rule {
        let value = row.value.as_ref().expect("there");
        match rows::read(&row.key, value) {
            Ok(Row::Rule(rule)) => *rule,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn rows_come_back() {
        let limits = json!({"max-connections": -1});
        let limits = limits.as_object().expect("an object");
        let limits = Limits::read(LimitsOf::User, limits).expect("good");
        let properties = Properties {
            description: "d".into(),
            tags: vec!["a".into(), "b".into()],
            default_queue_type: Some(QueueKind::Quorum),
            protected: true,
            tracing: true,
            limits: limits.clone(),
        };
        let found = back(&vhost(&"v".into(), &properties));
        assert_eq!(found, Rule::Vhost("v".into(), properties));
        let body = json!({
            "pattern": "^(?!amq\\.)", "priority": 1.5, "apply-to": "quorum_queues",
            "definition": {"max-length": 5, "overflow": "reject-publish"},
        });
        let body = body.as_object().expect("an object");
        for class in [Class::User, Class::Operator] {
            let wanted = Policy::read(class, "p", body).expect("good");
            let found = back(&policy(&"v".into(), class, &wanted));
            assert_eq!(found, Rule::Policy("v".into(), class, wanted));
        }
        let value = json!({"uri": ["a", 1, null]});
        let wanted = Rule::Parameter {
            vhost: "v".into(),
            component: "shovel".into(),
            name: "n".into(),
            value: value.clone(),
        };
        assert_eq!(back(&parameter(&"v".into(), "shovel", "n", &value)), wanted);
        assert_eq!(back(&global("g", &value)), Rule::Global("g".into(), value));
        let wanted = Rule::UserLimits("u".into(), limits.clone());
        assert_eq!(back(&user_limits(&"u".into(), &limits)), wanted);
    }
}
