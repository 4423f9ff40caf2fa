//! What a vhost is, beside what exists in it.

use serde_json::{Map, Value, json};

use super::limits::{Limits, LimitsOf};
use crate::policy::{Invalid, Term};
use crate::queue::options::QueueKind;

/// A vhost's properties.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Properties {
    /// For people.
    pub description: String,
    /// For tools.
    pub tags: Vec<String>,
    /// What a queue is that does not say; `None`: classic.
    pub default_queue_type: Option<QueueKind>,
    /// It is not deleted until this is taken back.
    pub protected: bool,
    /// Each message is shown on `amq.rabbitmq.trace` too.
    pub tracing: bool,
    /// How much there may be in it.
    pub limits: Limits,
}

impl Properties {
    /// What a PUT of a vhost makes of them: description, tags and default queue type are as the
    /// body says, or gone; tracing stays if the body does not speak of it.
    pub fn put(&self, body: &Map<String, Value>) -> Result<Self, Invalid> {
        let default_queue_type = match body.get("default_queue_type") {
            None | Some(Value::Null) => None,
            Some(Value::String(name)) if name.is_empty() || name == "undefined" => None,
            Some(Value::String(name)) => {
                let kind = QueueKind::from_name(name.as_bytes());
                Some(
                    kind.ok_or_else(|| Invalid::bare(format!("{name} is not a valid queue type")))?,
                )
            }
            Some(other) => {
                let said = Term(other);
                let why = format!("{said} is not a valid default_queue_type value");
                return Err(Invalid::bare(why));
            }
        };
        let tracing = match body.get("tracing") {
            None | Some(Value::Null) => self.tracing,
            Some(value) => flag(value)?,
        };
        Ok(Self {
            description: text(body.get("description")),
            tags: tags(body.get("tags"))?,
            default_queue_type,
            tracing,
            ..self.clone()
        })
    }

    /// What definitions say of a vhost: as [`Self::put`], and its limits. `metadata` speaks where
    /// the vhost's own keys do not.
    pub fn import(&self, said: &Map<String, Value>) -> Result<Self, Invalid> {
        let mut body = said.get("metadata").and_then(Value::as_object).cloned().unwrap_or_default();
        body.extend(said.iter().map(|(key, value)| (key.clone(), value.clone())));
        let mut properties = self.put(&body)?;
        if let Some(Value::Bool(protected)) = body.get("protected_from_deletion") {
            properties.protected = *protected;
        }
        if let Some(Value::Object(limits)) = said.get("limits") {
            properties.limits = Limits::read(LimitsOf::Vhost, limits)?;
        }
        Ok(properties)
    }

    /// What a queue is that does not say.
    pub fn default_kind(&self) -> QueueKind {
        self.default_queue_type.unwrap_or_default()
    }

    /// `metadata`, as the API and definitions have it.
    pub fn metadata(&self) -> Value {
        let mut metadata = json!({
            "description": self.description,
            "tags": self.tags,
            "default_queue_type": self.default_kind().name(),
        });
        if self.protected {
            metadata["protected_from_deletion"] = true.into();
        }
        metadata
    }
}

/// RabbitMQ takes anything here; what is no text is nothing.
fn text(value: Option<&Value>) -> String {
    value.and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn flag(value: &Value) -> Result<bool, Invalid> {
    let word = value.as_str().and_then(|word| word.parse().ok());
    let flag = value.as_bool().or(word);
    flag.ok_or_else(|| Invalid::bare(format!("not_boolean: {}", Term(value))))
}

/// A list, or a text with commas.
fn tags(value: Option<&Value>) -> Result<Vec<String>, Invalid> {
    let wrong = |value| Invalid::bare(format!("{} is not a valid list of tags", Term(value)));
    let words = |text: &str| {
        text.split(',').map(str::trim).filter(|tag| !tag.is_empty()).map(str::to_owned).collect()
    };
    match value {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(words(text)),
        Some(Value::Array(tags)) => tags
            .iter()
            .map(|tag| tag.as_str().map(str::to_owned).ok_or_else(|| wrong(tag)))
            .collect(),
        Some(other) => Err(wrong(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(properties: &Properties, body: &Value) -> Result<Properties, String> {
        properties.put(body.as_object().expect("an object")).map_err(|why| why.to_string())
    }

    #[test]
    fn a_put_replaces_all_but_tracing_and_protection() {
        let nothing = Properties::default();
        let full = json!({"description": "d", "tags": "a, b", "default_queue_type": "quorum",
                          "tracing": true, "protected_from_deletion": true});
        let full = put(&nothing, &full).expect("good");
        assert_eq!(
            (full.description.as_str(), &full.tags[..]),
            ("d", &["a".into(), "b".into()][..])
        );
        assert_eq!(full.default_kind(), QueueKind::Quorum);
        assert!(full.tracing);
        assert!(!full.protected, "RabbitMQ does not take it from here");
        let protected = Properties { protected: true, ..full };
        let again = put(&protected, &json!({"tags": ["x"]})).expect("good");
        assert_eq!((again.description.as_str(), &again.tags[..]), ("", &["x".into()][..]));
        assert_eq!(again.default_kind(), QueueKind::Classic);
        assert!(again.tracing && again.protected);
    }

    #[test]
    fn what_is_refused() {
        for (body, why) in [
            (json!({"default_queue_type": "nonsense"}), "nonsense is not a valid queue type"),
            (json!({"default_queue_type": 5}), "5 is not a valid default_queue_type value"),
            (json!({"tracing": "x"}), r#"not_boolean: <<"x">>"#),
            (json!({"tags": 5}), "5 is not a valid list of tags"),
            (json!({"tags": ["a", 5]}), "5 is not a valid list of tags"),
        ] {
            assert_eq!(put(&Properties::default(), &body), Err(why.into()));
        }
        assert!(put(&Properties::default(), &json!({"description": 5})).is_ok());
    }

    /// An entry of `vhosts` in definitions that RabbitMQ 4.3 exported.
    #[test]
    fn definitions() {
        let said = json!({
            "name": "v", "description": "", "tags": [], "default_queue_type": "quorum",
            "limits": {"max-queues": 5},
            "metadata": {"description": "in there", "tags": ["t"], "default_queue_type": "quorum",
                         "protected_from_deletion": true},
        });
        let said = said.as_object().expect("an object");
        let properties = Properties::default().import(said).expect("good");
        assert_eq!(properties.limits.get("max-queues"), Some(5));
        assert!(properties.protected);
        let metadata = json!({"metadata": {"tags": ["t"]}});
        let metadata = metadata.as_object().expect("an object");
        assert_eq!(Properties::default().import(metadata).expect("good").tags, ["t"]);
        let bad = json!({"limits": {"max-queues": "x"}});
        assert!(Properties::default().import(bad.as_object().expect("an object")).is_err());
    }
}
