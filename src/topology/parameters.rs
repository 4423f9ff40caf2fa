//! Runtime parameters: what plugins of RabbitMQ are told, by component and name in a vhost, and
//! global parameters, by name alone.
//!
//! Policies and vhost limits are parameters of RabbitMQ's too; here they are things of their own,
//! and their components are refused or led there by whoever calls.

use std::collections::BTreeMap;

use serde_json::Value;

use super::limits::Limits;
use crate::names::UserName;
use crate::policy::proplist::{Needed, Rule, check};
use crate::policy::{Invalid, Term};

/// A vhost's parameters: by component and name.
pub type Parameters = BTreeMap<(String, String), Value>;

/// What belongs to no vhost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Globals {
    /// Global parameters.
    pub parameters: BTreeMap<String, Value>,
    /// Limits of users.
    pub user_limits: BTreeMap<UserName, Limits>,
}

/// The global parameter that is the cluster's name.
pub const CLUSTER_NAME: &str = "cluster_name";

const URI: (&str, Rule, Needed) = ("uri", Rule::TextOrList, Needed::Mandatory);

/// `federation-upstream` (`rabbit_federation_parameters`).
const UPSTREAM: &[(&str, Rule, Needed)] = &[
    URI,
    ("prefetch-count", Rule::Number, Needed::Optional),
    ("reconnect-delay", Rule::Number, Needed::Optional),
    ("max-hops", Rule::Number, Needed::Optional),
    ("expires", Rule::Number, Needed::Optional),
    ("message-ttl", Rule::Number, Needed::Optional),
    ("trust-user-id", Rule::Boolean, Needed::Optional),
    ("ack-mode", Rule::OneOf(&["no-ack", "on-publish", "on-confirm"]), Needed::Optional),
    ("resource-cleanup-mode", Rule::OneOf(&["default", "never"]), Needed::Optional),
    ("ha-policy", Rule::Text, Needed::Optional),
    ("queue-type", Rule::OneOf(&["classic", "quorum"]), Needed::Optional),
    ("bind-nowait", Rule::Boolean, Needed::Optional),
    ("channel-use-mode", Rule::OneOf(&["multiple", "single"]), Needed::Optional),
    ("exchange", Rule::Text, Needed::Optional),
    ("queue", Rule::Text, Needed::Optional),
    ("consumer-tag", Rule::Text, Needed::Optional),
];

/// What any `shovel` needs; which other keys it takes depends on its protocols.
const SHOVEL: [&str; 2] = ["dest-uri", "src-uri"];

/// Says why a vhost's parameter is refused.
pub fn check_parameter(component: &str, name: &str, value: &Value) -> Result<(), Invalid> {
    let wrong = match component {
        "policy" => return Err(Invalid::bare("policies may not be set using this method")),
        "federation-upstream" => match value.as_object() {
            Some(said) => check(name, UPSTREAM, said),
            None => vec![format!("{name} not a list {}", Term(value))],
        },
        "federation-upstream-set" => check_set(name, value),
        "shovel" => check_shovel(name, value),
        unknown => vec![format!("component {unknown} not found")],
    };
    if wrong.is_empty() { Ok(()) } else { Err(Invalid::values(wrong)) }
}

fn check_set(name: &str, value: &Value) -> Vec<String> {
    let Value::Array(members) = value else {
        return vec![format!("{name} should be list, actually was {}", Term(value))];
    };
    let named = |member: &&Value| member.get("upstream").is_none_or(|it| !it.is_string());
    let complaint = |_| format!("Key \"upstream\" not found in {name}");
    members.iter().find(named).map(complaint).into_iter().collect()
}

fn check_shovel(name: &str, value: &Value) -> Vec<String> {
    let Value::Object(said) = value else {
        return vec![format!("{name} not a list {}", Term(value))];
    };
    let mut wrong = Vec::new();
    let sources = ["src-queue", "src-exchange", "src-address"];
    match sources.iter().filter(|key| said.contains_key(**key)).count() {
        0 => wrong.push("Must specify 'src-exchange' or 'src-queue'".into()),
        1 => {}
        _ => wrong.push("Cannot specify 'src-exchange' and 'src-queue'".into()),
    }
    if ["dest-queue", "dest-exchange"].iter().all(|key| said.contains_key(*key)) {
        wrong.push("Cannot specify 'dest-exchange' and 'dest-queue'".into());
    }
    for key in SHOVEL.iter().filter(|key| !said.contains_key(**key)) {
        wrong.push(format!("Key \"{key}\" not found in {name}"));
    }
    wrong
}

/// Says why a global parameter is refused: RabbitMQ takes anything, and fails later of a
/// cluster's name that is no text.
pub fn check_global(name: &str, value: &Value) -> Result<(), Invalid> {
    if name == CLUSTER_NAME && !value.is_string() {
        let why = format!("{name} should be binary, actually was {}", Term(value));
        return Err(Invalid::values(vec![why]));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Compared with RabbitMQ 4.3.6.
    #[test]
    fn what_is_refused() {
        for (component, value, lines) in [
            ("nonsense", json!({"a": 1}), "component nonsense not found"),
            ("federation-upstream", json!({"uri": 5}), "uri should be list, actually was 5"),
            (
                "federation-upstream",
                json!({"x": "y"}),
                "Unrecognised terms [{<<\"x\">>,<<\"y\">>}] in n\nKey \"uri\" not found in n",
            ),
            (
                "shovel",
                json!({}),
                "Must specify 'src-exchange' or 'src-queue'\nKey \"dest-uri\" not found in n\n\
                 Key \"src-uri\" not found in n",
            ),
        ] {
            let refused = check_parameter(component, "n", &value).expect_err("refused");
            assert_eq!(refused.to_string(), format!("Validation failed\n\n{lines}\n"));
        }
        let policy = check_parameter("policy", "n", &json!({})).expect_err("refused");
        assert_eq!(policy.to_string(), "policies may not be set using this method");
        assert!(check_parameter("federation-upstream-set", "n", &json!(5)).is_err());
        assert!(check_parameter("federation-upstream-set", "n", &json!([{"x": 1}])).is_err());
        assert!(check_parameter("shovel", "n", &json!("x")).is_err());
        assert!(check_global(CLUSTER_NAME, &json!(5)).is_err());
    }

    #[test]
    fn what_is_accepted() {
        for (component, value) in [
            ("federation-upstream", json!({"uri": "amqp://localhost", "prefetch-count": 5})),
            ("federation-upstream", json!({"uri": ["amqp://a", "amqp://b"]})),
            ("federation-upstream-set", json!([{"upstream": "n"}])),
            ("shovel", json!({"src-uri": "amqp://", "src-queue": "q", "dest-uri": "amqp://"})),
        ] {
            assert_eq!(check_parameter(component, "n", &value), Ok(()), "{component}");
        }
        assert_eq!(check_global("anything", &json!([1, "x"])), Ok(()));
        assert_eq!(check_global(CLUSTER_NAME, &json!("")), Ok(()));
    }
}
