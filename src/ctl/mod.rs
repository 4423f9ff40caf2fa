//! `warren ctl`: the verbs of rabbitmqctl, rabbitmq-diagnostics, rabbitmq-queues, rabbitmq-upgrade
//! and rabbitmq-plugins, with their output and exit statuses, spoken over the management API.
//!
//! A verb is a [`call::Verb`] in the table of its family's file: what it is called, what it says
//! first, what it does. [`output`] knows how things look and nothing else. Must not know: the
//! broker from inside.

mod call;
mod checks;
mod client;
mod cluster;
mod failure;
mod lists;
mod operations;
mod options;
mod output;
mod permissions;
mod policies;
mod status;
mod top;
mod users;
mod vhosts;

use std::env;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use call::{Call, Said, Verb};
use client::Client;
use failure::Failure;
use options::Line;
use output::Formatter;

/// How long an answer may take if nothing else is said, in seconds.
const TIMEOUT: u64 = 60;

/// rabbitmq-plugins has verbs of its own, with names that say little elsewhere.
const PLUGINS: &str = "rabbitmq-plugins";

/// RabbitMQ's tools, by whose names this may be called (as symbolic links).
const TOOLS: [&str; 6] = [
    "rabbitmqctl",
    "rabbitmq-diagnostics",
    PLUGINS,
    "rabbitmq-queues",
    "rabbitmq-streams",
    "rabbitmq-upgrade",
];

const FAMILIES: [&[Verb]; 10] = [
    status::VERBS,
    top::VERBS,
    checks::VERBS,
    lists::VERBS,
    users::VERBS,
    permissions::VERBS,
    vhosts::VERBS,
    policies::VERBS,
    operations::VERBS,
    cluster::VERBS,
];

/// The tool of RabbitMQ as which a program was called, if it was.
pub fn tool(program: &str) -> Option<&'static str> {
    let name = Path::new(program).file_name()?.to_str()?;
    TOOLS.into_iter().find(|tool| *tool == name)
}

/// Does what a command line says; gives the exit status.
pub fn run(tool: Option<&'static str>, said: impl IntoIterator<Item = String>) -> u8 {
    let tool = tool.unwrap_or("warren ctl");
    match Line::parse(said) {
        Ok(line) => obey(tool, line),
        Err(failure) => complain(&failure, false),
    }
}

fn obey(tool: &str, mut line: Line) -> u8 {
    let mut families: &[&[Verb]] = &FAMILIES;
    if line.words.first().is_some_and(|word| word == "plugins") {
        line.words.remove(0);
        families = &[cluster::PLUGINS];
    } else if tool == PLUGINS {
        families = &[cluster::PLUGINS];
    }
    let Some(name) = line.words.first().cloned() else { return help(tool, families, None) };
    if name == "help" || line.has("help") {
        let about = line.words.iter().find(|word| *word != "help");
        return help(tool, families, about.map(String::as_str));
    }
    let mut verbs = families.iter().flat_map(|family| family.iter());
    let Some(verb) = verbs.find(|verb| verb.name == name) else {
        let all = families.iter().flat_map(|family| family.iter()).map(|verb| verb.name);
        let near = all.max_by(|a, b| likeness(a, &name).total_cmp(&likeness(b, &name)));
        let near = near.filter(|near| likeness(near, &name) > 0.7);
        let hint = near.map(|near| format!("Did you mean '{near}'?")).unwrap_or_default();
        return complain(&Failure::usage(format!("Command '{name}' not found. {hint}")), false);
    };
    let count = line.words.len() - 1;
    let (least, most) = verb.arguments;
    if count < least || count > most {
        let what = if count < least { "not enough args" } else { "too many arguments" };
        let said = line.words.join(" ");
        return complain(
            &Failure::usage(format!(
                "Error (argument validation): {what}.\nArguments given:\n\t{said}\n\nUsage\n\n{tool} \
                 [--node <node>] [--quiet] {}",
                verb.usage
            )),
            false,
        );
    }
    let formatter = line.option("formatter").unwrap_or("table");
    let Some(formatter) = Formatter::of_name(formatter) else {
        return complain(&Failure::usage(format!("Unknown formatter {formatter}")), false);
    };
    let api = client_of(&line, &user(&line), &password(&line));
    carry_out(verb, &Call { line, api }, formatter)
}

fn likeness(a: &str, b: &str) -> f64 {
    strsim::jaro_winkler(a, b)
}

fn carry_out(verb: &Verb, call: &Call, formatter: Formatter) -> u8 {
    let silent = call.line.has("silent");
    // A machine that reads JSON or CSV has no use for a banner.
    let quiet =
        silent || call.line.has("quiet") || formatter.is_json() || formatter == Formatter::Csv;
    // Columns are looked at before anything is said, as arguments are.
    let banner = if quiet { String::new() } else { (verb.banner)(call) };
    let done = (verb.run)(call);
    let wrong = done.as_ref().is_err_and(|failure| failure.text.starts_with("Info key(s)"));
    if !banner.is_empty() && !wrong {
        say(&format!("{banner}\n"));
    }
    match done {
        Ok(said) => {
            let headers = !silent && !call.line.has("no-table-headers");
            say(&shown(said, formatter, headers));
            0
        }
        Err(failure) => complain(&failure, formatter.is_json()),
    }
}

fn shown(said: Said, formatter: Formatter, headers: bool) -> String {
    match said {
        Said::Nothing if formatter.is_json() => format!("{}\n", json!({"result": "ok"})),
        Said::Nothing => String::new(),
        Said::Text(text) if formatter.is_json() => {
            format!("{}\n", json!({"result": "ok", "message": text}))
        }
        Said::Text(text) => format!("{text}\n"),
        Said::Rows(rows) => rows.show(formatter, headers),
        Said::Report { object, .. } if formatter.is_json() => format!("{object}\n"),
        Said::Report { text, .. } => text,
        Said::Document(text) => text,
    }
}

/// A reader that has gone away has read enough.
fn say(text: &str) {
    let _ = io::stdout().lock().write_all(text.as_bytes());
}

fn complain(failure: &Failure, is_json: bool) -> u8 {
    let text = if is_json {
        json!({"result": "error", "reason": failure.text}).to_string()
    } else {
        format!("Error:\n{failure}")
    };
    let _ = writeln!(io::stderr().lock(), "{text}");
    failure.exit as u8
}

/// What verbs there are, or how one is used.
fn help(tool: &str, families: &[&[Verb]], about: Option<&str>) -> u8 {
    let all = || families.iter().flat_map(|family| family.iter());
    if let Some(verb) = about.and_then(|name| all().find(|verb| verb.name == name)) {
        say(&format!("Usage\n\n{tool} [--node <node>] [--quiet] {}\n", verb.usage));
        return 0;
    }
    let mut names: Vec<&str> = all().map(|verb| verb.usage).collect();
    names.sort_unstable();
    say(&format!(
        "Usage\n\n{tool} [--node <node>] [--timeout <timeout>] [--quiet] [--formatter \
         table|pretty_table|json|csv] <command> [<command options>]\n\nWhom to ask: --base-uri \
         (WARREN_CTL_URL, http://127.0.0.1:15672), --username (WARREN_CTL_USER), --password \
         (WARREN_CTL_PASSWORD)\n\nAvailable commands:\n\n   {}\n",
        names.join("\n   ")
    ));
    0
}

/// The first of these variables that is set.
fn variable(names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| env::var(name).ok().filter(|value| !value.is_empty()))
}

/// Inside a container the broker's own variables say who its administrator is.
fn user(line: &Line) -> String {
    let names = ["WARREN_CTL_USER", "WARREN_DEFAULTS_USER", "RABBITMQ_DEFAULT_USER"];
    let given = line.option("username").map(str::to_owned).or_else(|| variable(&names));
    given.unwrap_or_else(|| "guest".into())
}

fn password(line: &Line) -> String {
    let names = ["WARREN_CTL_PASSWORD", "WARREN_DEFAULTS_PASS", "RABBITMQ_DEFAULT_PASS"];
    let given = line.option("password").map(str::to_owned).or_else(|| variable(&names));
    given.unwrap_or_else(|| "guest".into())
}

/// Somebody's access to the broker that the command line names.
fn client_of(line: &Line, user: &str, password: &str) -> Client {
    let url = line.option("base-uri").map(str::to_owned).or_else(|| variable(&["WARREN_CTL_URL"]));
    let port = || variable(&["WARREN_HTTP_PORT"]).unwrap_or_else(|| "15672".into());
    let url = url.unwrap_or_else(|| format!("http://127.0.0.1:{}", port()));
    let seconds = line.option("timeout").and_then(|text| text.parse().ok()).filter(|s| *s > 0);
    Client::new(&url, user, password, Duration::from_secs(seconds.unwrap_or(TIMEOUT)))
}
