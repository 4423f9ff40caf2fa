//! A command line of rabbitmqctl's: options may stand anywhere, before and behind the verb.

use std::collections::BTreeMap;

use super::failure::Failure;

/// Options that have a value; any tool's.
const WITH_VALUE: [&str; 27] = [
    "apply-to",
    "base-uri",
    "default-queue-type",
    "description",
    "erlang-cookie",
    "format",
    "formatter",
    "hashing-algorithm",
    "limit",
    "node",
    "password",
    "per-connection-delay",
    "port",
    "printer",
    "priority",
    "protocol",
    "scope",
    "script-name",
    "tags",
    "timeout",
    "unit",
    "user",
    "username",
    "vhost",
    "within",
    "address",
    "interval",
];

/// Options that are there or not.
const FLAGS: [&str; 28] = [
    "all",
    "clear",
    "disc",
    "dry-run",
    "errors-only",
    "experimental",
    "fail-if-not-found",
    "force",
    "global",
    "help",
    "if-empty",
    "if-unused",
    "local",
    "longnames",
    "no-table-headers",
    "offline",
    "once",
    "online",
    "opt-in",
    "pre-hashed-password",
    "quiet",
    "ram",
    "silent",
    "skip-if-unchanged",
    "table-headers",
    "verbose",
    "node-down",
    "minimal",
];

/// One letter for an option.
const SHORT: [(&str, &str); 9] = [
    ("p", "vhost"),
    ("n", "node"),
    ("q", "quiet"),
    ("s", "silent"),
    ("t", "timeout"),
    ("l", "longnames"),
    ("h", "help"),
    ("m", "minimal"),
    ("E", "errors-only"),
];

/// What was said: the words, and the options.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) words: Vec<String>,
    options: BTreeMap<&'static str, String>,
}

impl Line {
    /// Takes a command line apart.
    pub(super) fn parse(said: impl IntoIterator<Item = String>) -> Result<Self, Failure> {
        let mut line = Self::default();
        let mut said = said.into_iter();
        while let Some(word) = said.next() {
            if word == "--" {
                line.words.extend(said.by_ref());
                break;
            }
            let Some((option, value)) = option(&word) else {
                line.words.push(word);
                continue;
            };
            let unknown = || Failure::usage(format!("Invalid options for this command:\n{word}"));
            if let Some(flag) = FLAGS.into_iter().find(|flag| *flag == option) {
                line.options.insert(flag, String::new());
                continue;
            }
            let name = WITH_VALUE.into_iter().find(|name| *name == option).ok_or_else(unknown)?;
            let value = value.map(str::to_owned).or_else(|| said.next());
            let missing = || Failure::usage(format!("Option {word} needs a value"));
            line.options.insert(name, value.ok_or_else(missing)?);
        }
        Ok(line)
    }

    pub(super) fn has(&self, option: &str) -> bool {
        self.options.contains_key(option)
    }

    pub(super) fn option(&self, option: &str) -> Option<&str> {
        self.options.get(option).map(String::as_str)
    }
}

/// An option's name and what stands behind its `=`; a lone minus is a word.
fn option(word: &str) -> Option<(&str, Option<&str>)> {
    let split = |text| match str::split_once(text, '=') {
        Some((name, value)) => (name, Some(value)),
        None => (text, None),
    };
    if let Some(long) = word.strip_prefix("--") {
        return Some(split(long));
    }
    let (short, value) = split(word.strip_prefix('-').filter(|rest| !rest.is_empty())?);
    // `-1` and other words that only look like options.
    let (_, long) = SHORT.into_iter().find(|(letter, _)| *letter == short)?;
    Some((long, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(said: &str) -> Result<Line, Failure> {
        Line::parse(said.split(' ').map(str::to_owned))
    }

    #[test]
    fn options_stand_anywhere() {
        let line = parse("-n rabbit@host -q list_queues -p /v name --formatter=json messages");
        let line = line.expect("good");
        assert_eq!(line.words, ["list_queues", "name", "messages"]);
        assert_eq!(line.option("vhost"), Some("/v"));
        assert_eq!(line.option("formatter"), Some("json"));
        assert!(line.has("quiet") && !line.has("silent"));
    }

    #[test]
    fn what_only_looks_like_an_option_is_a_word() {
        let line = parse("set_permissions u -x - -- --vhost").expect("good");
        assert_eq!(line.words, ["set_permissions", "u", "-x", "-", "--vhost"]);
    }

    #[test]
    fn unknown_options_are_refused() {
        assert!(parse("list_queues --fast").is_err());
        assert!(parse("list_queues --formatter").is_err());
    }
}
