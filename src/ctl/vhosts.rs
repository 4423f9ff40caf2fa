//! Vhosts, and limits of vhosts and users.

use serde_json::{Map, Value, json};

use super::call::{ANY, Call, Outcome, Said, Verb, objects};
use super::client::path;
use super::failure::Failure;
use super::lists::asked;
use super::output::Rows;

pub(super) const VERBS: &[Verb] = &[
    Verb {
        name: "add_vhost",
        usage: "add_vhost <vhost> [--description <description>] [--tags <tags>] [--default-queue-type <type>]",
        arguments: (1, 1),
        banner: |call| format!("Adding vhost {:?} ...", call.argument(0)),
        run: |call| match call.api.exists(&path(&["vhosts", call.argument(0)]))? {
            true => changed(call, call.argument(0), &metadata(call)),
            false => put(call, call.argument(0), &metadata(call)),
        },
    },
    Verb {
        name: "update_vhost_metadata",
        usage: "update_vhost_metadata <vhost> [--description <description>] [--tags <tags>] [--default-queue-type <type>]",
        arguments: (1, 1),
        banner: |call| format!("Updating metadata of vhost {:?} ...", call.argument(0)),
        run: |call| changed(call, call.argument(0), &metadata(call)),
    },
    Verb {
        name: "set_vhost_tags",
        usage: "set_vhost_tags <vhost> [<tag> ...]",
        arguments: (1, ANY),
        banner: |call| {
            let tags = call.arguments()[1..].join(", ");
            format!("Setting tags for vhost {:?} to [{tags}] ...", call.argument(0))
        },
        run: |call| changed(call, call.argument(0), &json!({"tags": call.arguments()[1..]})),
    },
    Verb {
        name: "delete_vhost",
        usage: "delete_vhost <vhost>",
        arguments: (1, 1),
        banner: |call| format!("Deleting vhost {:?} ...", call.argument(0)),
        run: delete,
    },
    Verb {
        name: "restart_vhost",
        usage: "restart_vhost [--vhost <vhost>]",
        arguments: (0, 0),
        banner: |call| format!("Trying to restart vhost '{}' ...", call.vhost()),
        run: |call| {
            call.vhost_must_exist(call.vhost())?;
            Ok(Said::Text(format!("Vhost '{}' is already running", call.vhost())))
        },
    },
    Verb {
        name: "enable_vhost_deletion_protection",
        usage: "enable_vhost_deletion_protection <vhost>",
        arguments: (1, 1),
        banner: |call| {
            format!(
                "Protecting virtual host {:?} from removal by updating its metadata...",
                call.argument(0)
            )
        },
        run: |call| {
            let place = path(&["vhosts", call.argument(0), "deletion", "protection"]);
            missing_is_data(call, call.api.post(&place, &json!({})))
        },
    },
    Verb {
        name: "disable_vhost_deletion_protection",
        usage: "disable_vhost_deletion_protection <vhost>",
        arguments: (1, 1),
        banner: |call| {
            format!(
                "Removing deletion protection from virtual host {:?} by updating its metadata...",
                call.argument(0)
            )
        },
        run: |call| {
            let place = path(&["vhosts", call.argument(0), "deletion", "protection"]);
            missing_is_data(call, call.api.delete(&place))
        },
    },
    Verb {
        name: "list_vhosts",
        usage: "list_vhosts [--no-table-headers] [<column> ...]",
        arguments: (0, ANY),
        banner: |_| "Listing vhosts ...".into(),
        run: |call| {
            let columns = asked(call, &COLUMNS, &["name"])?;
            Ok(Said::Rows(Rows::pick(&columns, &objects(call.api.get("/vhosts")?))))
        },
    },
    Verb {
        name: "trace_on",
        usage: "trace_on [--vhost <vhost>]",
        arguments: (0, 0),
        banner: |call| format!("Starting tracing for vhost {:?} ...", call.vhost()),
        run: |call| trace(call, true),
    },
    Verb {
        name: "trace_off",
        usage: "trace_off [--vhost <vhost>]",
        arguments: (0, 0),
        banner: |call| format!("Stopping tracing for vhost {:?} ...", call.vhost()),
        run: |call| trace(call, false),
    },
    Verb {
        name: "set_vhost_limits",
        usage: "set_vhost_limits [--vhost <vhost>] <definition>",
        arguments: (1, 1),
        banner: |call| {
            format!(
                "Setting vhost limits to \"{}\" for vhost {:?} ...",
                call.argument(0),
                call.vhost()
            )
        },
        run: |call| set_limits(call, 0, &["vhost-limits", call.vhost()]),
    },
    Verb {
        name: "clear_vhost_limits",
        usage: "clear_vhost_limits [--vhost <vhost>]",
        arguments: (0, 0),
        banner: |call| format!("Clearing vhost {:?} limits ...", call.vhost()),
        run: |call| {
            call.vhost_must_exist(call.vhost())?;
            clear_limits(call, &["vhost-limits", call.vhost()], "vhost")
        },
    },
    Verb {
        name: "list_vhost_limits",
        usage: "list_vhost_limits [--vhost <vhost>] [--global]",
        arguments: (0, 0),
        banner: |call| match call.line.has("global") {
            true => "Listing limits for all vhosts ...".into(),
            false => format!("Listing limits for vhost {:?} ...", call.vhost()),
        },
        run: |call| match call.line.has("global") {
            true => all_limits(call, "/vhost-limits", "vhost"),
            false => limits_of(call, "/vhost-limits", "vhost", call.vhost()),
        },
    },
    Verb {
        name: "set_user_limits",
        usage: "set_user_limits <username> <definition>",
        arguments: (2, 2),
        banner: |call| {
            let (user, limits) = (call.argument(0), call.argument(1));
            format!("Setting user limits to \"{limits}\" for user {user:?} ...")
        },
        run: |call| {
            call.user_must_exist(call.argument(0))?;
            set_limits(call, 1, &["user-limits", call.argument(0)])
        },
    },
    Verb {
        name: "clear_user_limits",
        usage: "clear_user_limits <username> <limit_type> | all",
        arguments: (1, 2),
        banner: |call| format!("Clearing limits for user {:?} ...", call.argument(0)),
        run: |call| {
            call.user_must_exist(call.argument(0))?;
            let place = ["user-limits", call.argument(0)];
            match call.arguments().get(1).map(String::as_str) {
                None | Some("all") => clear_limits(call, &place, "user"),
                Some(one) => clear_limit(call, &place, one),
            }
        },
    },
    Verb {
        name: "list_user_limits",
        usage: "list_user_limits [--user <username>] [--global]",
        arguments: (0, 0),
        banner: |call| match call.line.has("global") {
            true => "Listing limits for all users ...".into(),
            false => format!("Listing limits for user {:?} ...", user(call)),
        },
        run: |call| match call.line.has("global") {
            true => all_limits(call, "/user-limits", "user"),
            false => limits_of(call, "/user-limits", "user", user(call)),
        },
    },
];

const COLUMNS: [&str; 8] = [
    "name",
    "description",
    "tags",
    "default_queue_type",
    "protected_from_deletion",
    "tracing",
    "cluster_state",
    "metadata",
];

fn metadata(call: &Call) -> Value {
    let option = |name| call.line.option(name);
    let mut body = Map::new();
    let mut say = |key: &str, value: Option<&str>| {
        if let Some(value) = value {
            body.insert(key.to_owned(), json!(value));
        }
    };
    say("description", option("description"));
    say("tags", option("tags"));
    say("default_queue_type", option("default-queue-type"));
    Value::Object(body)
}

fn put(call: &Call, vhost: &str, body: &Value) -> Outcome {
    call.api.put(&path(&["vhosts", vhost]), body)?;
    Ok(Said::Nothing)
}

/// Changes some of what a vhost that is there has; the API takes it as a whole.
fn changed(call: &Call, vhost: &str, to: &Value) -> Outcome {
    let there = call.api.get(&path(&["vhosts", vhost]));
    let there = there.map_err(|failure| failure.if_missing(|| Failure::no_vhost(vhost)))?;
    let kept = ["description", "tags", "default_queue_type", "tracing", "protected_from_deletion"];
    let mut body = Map::new();
    for key in kept {
        body.insert(key.to_owned(), there[key].clone());
    }
    body.extend(to.as_object().cloned().unwrap_or_default());
    put(call, vhost, &Value::Object(body))
}

fn missing_is_data(call: &Call, answer: Result<Value, Failure>) -> Outcome {
    let missing = || Failure::data(format!("Virtual host '{}' does not exist", call.argument(0)));
    answer.map_err(|failure| failure.if_missing(missing))?;
    Ok(Said::Nothing)
}

fn delete(call: &Call) -> Outcome {
    missing_is_data(call, call.api.delete(&path(&["vhosts", call.argument(0)])))
}

fn trace(call: &Call, on: bool) -> Outcome {
    changed(call, call.vhost(), &json!({"tracing": on}))?;
    let state = if on { "enabled" } else { "disabled" };
    Ok(Said::Text(format!("Trace {state} for vhost {}", call.vhost())))
}

/// Whose limits are listed.
fn user(call: &Call) -> &str {
    call.line.option("user").unwrap_or("guest")
}

fn set_limits(call: &Call, at: usize, place: &[&str]) -> Outcome {
    let definition = call.json(at)?;
    let bad = || Failure::unavailable("Could not parse JSON document: expected an object");
    for (name, value) in definition.as_object().ok_or_else(bad)? {
        let place = path(&[place, &[name.as_str()]].concat());
        let put = call.api.put(&place, &json!({"value": value}));
        put.map_err(|failure| match failure.status {
            Some(404) => Failure::no_vhost(call.vhost()),
            Some(_) => Failure::unavailable(failure.text),
            None => failure,
        })?;
    }
    Ok(Said::Nothing)
}

fn clear_limit(call: &Call, place: &[&str], name: &str) -> Outcome {
    match call.api.delete(&path(&[place, &[name]].concat())) {
        Err(failure) if failure.status != Some(404) => Err(failure),
        Ok(_) | Err(_) => Ok(Said::Nothing),
    }
}

fn clear_limits(call: &Call, place: &[&str], key: &str) -> Outcome {
    let whose = place[1];
    let all = objects(call.api.get(&path(&place[..1]))?);
    let those = all.iter().filter(|each| each[key] == whose);
    let names = those.filter_map(|each| each["value"].as_object()).flat_map(Map::keys);
    for name in names {
        clear_limit(call, place, name)?;
    }
    Ok(Said::Nothing)
}

fn limits_of(call: &Call, all: &str, key: &str, whose: &str) -> Outcome {
    let all = objects(call.api.get(all)?);
    let limits = all.iter().find(|each| each[key] == whose).map(|each| each["value"].clone());
    let limits = limits.unwrap_or_else(|| json!({}));
    Ok(Said::Document(format!("{limits}\n")))
}

fn all_limits(call: &Call, all: &str, key: &str) -> Outcome {
    let all = objects(call.api.get(all)?);
    let row = |each: &Value| vec![each[key].clone(), json!(each["value"].to_string())];
    Ok(Said::Rows(Rows::of(&[key, "limits"], all.iter().map(row).collect())))
}
