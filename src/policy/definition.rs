//! What a policy says: keys with values, checked once.

use serde_json::{Map, Value};

use super::Class;
use super::keys::{Key, Merge};
use super::term::pairs;
use crate::queue::options::QueueKind;

/// What a policy says, by key. Each key is known, and each value is what its key takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Definition(Map<String, Value>);

impl Definition {
    /// Says what is wrong with a definition: of several faults one, as RabbitMQ does. Ill values
    /// come before unknown keys.
    pub fn check(class: Class, said: &Map<String, Value>) -> Result<(), String> {
        if said.is_empty() {
            return Err("no policy provided".into());
        }
        let known = |name: &str| Key::of_name(name).filter(|key| key.is_for(class));
        for (name, value) in said {
            known(name).map_or(Ok(()), |key| key.check(value))?;
        }
        check_together(said)?;
        if said.keys().all(|name| known(name).is_some()) {
            return Ok(());
        }
        let unknown = pairs(said.iter().filter(|(name, _)| known(name).is_none()));
        Err(format!("{unknown} are not recognised policy settings"))
    }

    /// What was [checked](Self::check).
    pub(super) fn of(said: Map<String, Value>) -> Self {
        Self(said)
    }

    /// What was checked when it was written down. A key that is known no longer is ignored.
    pub fn restored(said: Map<String, Value>) -> Self {
        Self(said)
    }

    /// As it was written.
    pub fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a kind of queue can obey all that it says.
    pub fn fits(&self, kind: QueueKind) -> bool {
        self.0.keys().filter_map(|name| Key::of_name(name)).all(|key| key.fits(kind))
    }

    /// What comes out when an operator policy speaks too.
    #[must_use]
    pub fn merged(&self, operator: &Self) -> Self {
        let mut merged = self.0.clone();
        for (name, theirs) in &operator.0 {
            let value = match (merged.get(name), Key::of_name(name).map(|key| key.merge)) {
                (Some(ours), Some(merge)) => merge.of(ours, theirs),
                (_, _) => theirs.clone(),
            };
            merged.insert(name.clone(), value);
        }
        Self(merged)
    }

    /// A number's value; a negative one is 0.
    pub fn natural(&self, name: &str) -> Option<u64> {
        let value = self.0.get(name)?;
        value.as_u64().or_else(|| value.as_i64().map(|_| 0))
    }

    /// A whole number's value.
    pub fn integer(&self, name: &str) -> Option<i64> {
        let value = self.0.get(name)?;
        value.as_i64().or_else(|| value.as_u64().map(|_| i64::MAX))
    }

    /// A text's value.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }
}

/// What does not go together.
fn check_together(said: &Map<String, Value>) -> Result<(), String> {
    if let Some(kind @ ("all" | "failed" | "returned")) =
        said.get("delayed-retry-type").and_then(Value::as_str)
        && !said.contains_key("delayed-retry-min")
    {
        return Err(format!("delayed-retry-min is required when delayed-retry-type is {kind}"));
    }
    if said.contains_key("federation-upstream") && said.contains_key("federation-upstream-set") {
        return Err("cannot specify both federation-upstream and federation-upstream-set".into());
    }
    Ok(())
}

impl Merge {
    /// The policy's value, or the operator's.
    fn of(self, ours: &Value, theirs: &Value) -> Value {
        let ours_is_less = match (ours.as_i64(), theirs.as_i64()) {
            (Some(ours), Some(theirs)) => ours < theirs,
            // What does not fit into an i64 is larger than what does.
            (Some(_), None) => true,
            (None, _) => false,
        };
        let unlimited = |value: &Value| value.as_i64().is_some_and(|value| value < 0);
        let ours_holds = match self {
            Self::Least => ours_is_less,
            Self::Most => !ours_is_less,
            Self::LeastIfAny if unlimited(ours) || unlimited(theirs) => !ours_is_less,
            Self::LeastIfAny => ours_is_less,
            Self::Operators => false,
        };
        if ours_holds { ours.clone() } else { theirs.clone() }
    }
}
