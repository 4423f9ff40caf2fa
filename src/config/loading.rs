//! How settings come together: from a file (TOML, or RabbitMQ's own), then `RABBITMQ_*` variables,
//! then OpenTelemetry's (`OTEL_*`), then Warren's.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::{Table, Value};

use super::{Config, rabbitmq};

/// How alike two names must be for one to be suggested for the other, from 0 to 1.
const ALIKE: f64 = 0.75;

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadConfig {
    /// The file cannot be read.
    #[error("cannot read {file}: {why}")]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system says.
        why: std::io::Error,
    },
    /// The file is no TOML, or has settings that do not exist or do not fit.
    #[error("{file}: {why}{hint}")]
    BadFile {
        /// The file.
        file: PathBuf,
        /// What is wrong, and where.
        why: Box<toml::de::Error>,
        /// Which setting may be meant.
        hint: String,
    },
    /// A line of a `rabbitmq.conf` that cannot be used.
    #[error("{file}:{line}: {why}")]
    BadLine {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// An environment variable's value does not fit its setting.
    #[error("{variable}={value}: expected {expected}")]
    BadVariable {
        /// The variable.
        variable: String,
        /// Its value.
        value: String,
        /// What would fit.
        expected: &'static str,
    },
    /// A value that makes no sense.
    #[error("{setting} = {value}: {why}")]
    BadValue {
        /// The setting.
        setting: &'static str,
        /// Its value.
        value: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A value from the environment that its setting cannot take.
    #[error("environment: {0}")]
    BadEnvironment(Box<toml::de::Error>),
}

impl Config {
    /// The settings of a file, if one is given, and of environment variables. A file whose name
    /// ends in `.conf` is RabbitMQ's; of a directory all such files are taken.
    pub fn load(
        file: Option<&Path>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, BadConfig> {
        let mut config = match file {
            Some(file) if is_rabbitmqs(file) => Self::from_rabbitmqs(file, &variable)?,
            Some(file) => Self::from_file(file)?,
            None => Self::default(),
        };
        rabbitmq::apply_variables(&mut config, &variable)?;
        config.opentelemetry.apply_variables(&variable)?;
        let notes = std::mem::take(&mut config.notes);
        let mut settings = Table::try_from(config).expect("settings can be written as TOML");
        overlay(&mut settings, "WARREN", &variable)?;
        let mut config =
            Self::deserialize(settings).map_err(|why| BadConfig::BadEnvironment(Box::new(why)))?;
        config.check()?;
        config.notes = notes;
        Ok(config)
    }

    pub(super) fn from_file(file: &Path) -> Result<Self, BadConfig> {
        let text = read(file)?;
        toml::from_str(&text).map_err(|why| {
            let hint = toml::from_str(&text).ok().and_then(|said| unknown(&said));
            BadConfig::BadFile {
                file: file.into(),
                why: Box::new(why),
                hint: hint.unwrap_or_default(),
            }
        })
    }

    fn from_rabbitmqs(
        path: &Path,
        variable: &impl Fn(&str) -> Option<String>,
    ) -> Result<Self, BadConfig> {
        let mut files = vec![path.to_owned()];
        if path.is_dir() {
            let unreadable = |why| BadConfig::Unreadable { file: path.into(), why };
            let entries = std::fs::read_dir(path).map_err(unreadable)?;
            files = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
            files.retain(|file| is_rabbitmqs(file) && !file.is_dir());
            files.sort();
        }
        let mut config = Self::default();
        for file in files {
            let notes = rabbitmq::apply(&mut config, &file, &read(&file)?, variable)?;
            config.notes.extend(notes);
        }
        Ok(config)
    }

    /// The settings in which another differs, by their paths.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let settings = |config| flat(&Table::try_from(config).expect("settings are TOML"));
        let (here, there) = (settings(self), settings(other));
        let differs =
            |(path, value): (String, Value)| (there.get(&path) != Some(&value)).then_some(path);
        here.into_iter().filter_map(differs).collect()
    }
}

/// Whether a file's name says that it is in RabbitMQ's format.
fn is_rabbitmqs(file: &Path) -> bool {
    file.is_dir() || file.extension().is_some_and(|extension| extension == "conf")
}

fn read(file: &Path) -> Result<String, BadConfig> {
    std::fs::read_to_string(file).map_err(|why| BadConfig::Unreadable { file: file.into(), why })
}

/// Settings by their paths.
fn flat(settings: &Table) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    for (name, value) in settings {
        match value {
            Value::Table(inner) => {
                all.extend(flat(inner).into_iter().map(|(key, v)| (format!("{name}.{key}"), v)));
            }
            Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Array(_) => {
                all.insert(name.clone(), value.clone());
            }
        }
    }
    all
}

/// What may be meant by the first setting that there is not.
fn unknown(said: &Table) -> Option<String> {
    let known = flat(&Table::try_from(Config::default()).expect("settings are TOML"));
    let unknown = flat(said).into_keys().find(|path| !known.contains_key(path))?;
    Some(nearest(&unknown, known.keys().map(String::as_str)))
}

/// A hint at the known name that is most like this one, if one is.
pub(super) fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> String {
    let alike = known.map(|each| (strsim::jaro_winkler(name, each), each));
    match alike.max_by(|a, b| a.0.total_cmp(&b.0)) {
        Some((likeness, each)) if likeness >= ALIKE => format!("; did you mean {each}?"),
        Some(_) | None => String::new(),
    }
}

/// Replaces each setting that has an environment variable.
fn overlay(
    settings: &mut Table,
    path: &str,
    variable: &impl Fn(&str) -> Option<String>,
) -> Result<(), BadConfig> {
    for (name, setting) in settings.iter_mut() {
        let path = format!("{path}_{}", name.to_uppercase());
        if let Value::Table(inner) = setting {
            overlay(inner, &path, variable)?;
        } else if let Some(text) = variable(&path) {
            *setting = same_type(setting, &text).map_err(|expected| BadConfig::BadVariable {
                variable: path,
                value: text,
                expected,
            })?;
        }
    }
    Ok(())
}

/// Text as a value of the type that the setting has.
fn same_type(like: &Value, text: &str) -> Result<Value, &'static str> {
    match like {
        Value::Integer(_) => text.parse().map(Value::Integer).map_err(|_| "a whole number"),
        Value::Float(_) => text.parse().map(Value::Float).map_err(|_| "a number"),
        Value::Boolean(_) => text.parse().map(Value::Boolean).map_err(|_| "true or false"),
        Value::Array(_) => {
            let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
            Ok(Value::Array(words.map(|word| Value::String(word.into())).collect()))
        }
        Value::String(_) | Value::Datetime(_) | Value::Table(_) => Ok(Value::String(text.into())),
    }
}
