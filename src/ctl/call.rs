//! One call of a verb: what it was asked with, and what it says.

use serde_json::Value;

use super::client::{Client, path};
use super::failure::Failure;
use super::options::Line;
use super::output::Rows;

/// A verb, with what was said behind it.
pub(super) struct Call {
    pub(super) line: Line,
    pub(super) api: Client,
}

/// What a verb has to say when it is done.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Said {
    Nothing,
    Text(String),
    Rows(Rows),
    /// An object for machines, and the same for people.
    Report {
        object: Value,
        text: String,
    },
    /// A document that is printed as it is, whatever the formatter.
    Document(String),
}

/// What verbs give back.
pub(super) type Outcome = Result<Said, Failure>;

/// A verb of the command line.
pub(super) struct Verb {
    pub(super) name: &'static str,
    pub(super) usage: &'static str,
    /// How many arguments it has, at least and at most.
    pub(super) arguments: (usize, usize),
    /// What is said before it is done; empty is nothing.
    pub(super) banner: fn(&Call) -> String,
    pub(super) run: fn(&Call) -> Outcome,
}

/// As many arguments as there are.
pub(super) const ANY: usize = usize::MAX;

impl Call {
    /// What stands behind the verb.
    pub(super) fn arguments(&self) -> &[String] {
        self.line.words.get(1..).unwrap_or_default()
    }

    /// An argument; that it is there is checked before a verb runs.
    pub(super) fn argument(&self, at: usize) -> &str {
        self.arguments().get(at).map_or("", String::as_str)
    }

    pub(super) fn vhost(&self) -> &str {
        self.line.option("vhost").unwrap_or("/")
    }

    /// The node's name.
    pub(super) fn node(&self) -> Result<String, Failure> {
        let overview = self.api.get("/overview")?;
        Ok(overview["node"].as_str().unwrap_or("?").to_owned())
    }

    /// Refuses a user that is not there.
    pub(super) fn user_must_exist(&self, name: &str) -> Result<(), Failure> {
        if self.api.exists(&path(&["users", name]))? {
            return Ok(());
        }
        Err(Failure::no_user(name))
    }

    /// Refuses a vhost that is not there.
    pub(super) fn vhost_must_exist(&self, name: &str) -> Result<(), Failure> {
        if self.api.exists(&path(&["vhosts", name]))? {
            Ok(())
        } else {
            Err(Failure::no_vhost(name))
        }
    }

    /// An argument that is to be JSON.
    pub(super) fn json(&self, at: usize) -> Result<Value, Failure> {
        let text = self.argument(at);
        serde_json::from_str(text).map_err(|_| {
            let why = format!("{{error,{{failed_to_decode_json,<<{text:?}>>}}}}");
            Failure::unavailable(format!("Could not parse JSON document: {why}"))
        })
    }
}

/// Nothing is said before.
pub(super) fn silent(_: &Call) -> String {
    String::new()
}

/// Nothing has to be done here.
pub(super) fn nothing_to_do(_: &Call) -> Outcome {
    Ok(Said::Nothing)
}

/// The objects of a list.
pub(super) fn objects(list: Value) -> Vec<Value> {
    match list {
        Value::Array(objects) => objects,
        Value::Object(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            Vec::new()
        }
    }
}
