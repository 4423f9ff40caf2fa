//! Permissions and topic permissions.

use serde_json::{Value, json};

use super::call::{Call, Outcome, Said, Verb, objects};
use super::client::path;
use super::failure::Failure;
use super::output::Rows;

pub(super) const VERBS: &[Verb] = &[
    Verb {
        name: "set_permissions",
        usage: "set_permissions [--vhost <vhost>] <username> <conf> <write> <read>",
        arguments: (4, 4),
        banner: |call| {
            let (user, vhost) = (call.argument(0), call.vhost());
            format!("Setting permissions for user {user:?} in vhost {vhost:?} ...")
        },
        run: set,
    },
    Verb {
        name: "clear_permissions",
        usage: "clear_permissions [--vhost <vhost>] <username>",
        arguments: (1, 1),
        banner: |call| {
            let (user, vhost) = (call.argument(0), call.vhost());
            format!("Clearing permissions for user {user:?} in vhost {vhost:?} ...")
        },
        run: |call| clear(call, &path(&["permissions", call.vhost(), call.argument(0)])),
    },
    Verb {
        name: "set_topic_permissions",
        usage: "set_topic_permissions [--vhost <vhost>] <username> <exchange> <write> <read>",
        arguments: (4, 4),
        banner: |call| {
            let (user, exchange, vhost) = (call.argument(0), call.argument(1), call.vhost());
            format!(
                "Setting topic permissions on {exchange:?} for user {user:?} in vhost {vhost:?} ..."
            )
        },
        run: set_topic,
    },
    Verb {
        name: "clear_topic_permissions",
        usage: "clear_topic_permissions [--vhost <vhost>] <username> [<exchange>]",
        arguments: (1, 2),
        banner: |call| {
            let (user, vhost) = (call.argument(0), call.vhost());
            format!("Clearing topic permissions for user {user:?} in vhost {vhost:?} ...")
        },
        run: |call| {
            let mut parts = vec!["topic-permissions", call.vhost(), call.argument(0)];
            parts.extend(call.arguments().get(1).map(String::as_str));
            clear(call, &path(&parts))
        },
    },
    Verb {
        name: "list_permissions",
        usage: "list_permissions [--vhost <vhost>] [--no-table-headers]",
        arguments: (0, 0),
        banner: |call| format!("Listing permissions for vhost {:?} ...", call.vhost()),
        run: |call| of_vhost(call, "permissions", &["user", "configure", "write", "read"]),
    },
    Verb {
        name: "list_user_permissions",
        usage: "list_user_permissions [--no-table-headers] <username>",
        arguments: (1, 1),
        banner: |call| format!("Listing permissions for user {:?} ...", call.argument(0)),
        run: |call| of_user(call, "permissions", &["vhost", "configure", "write", "read"]),
    },
    Verb {
        name: "list_topic_permissions",
        usage: "list_topic_permissions [--vhost <vhost>] [--no-table-headers]",
        arguments: (0, 0),
        banner: |call| format!("Listing topic permissions for vhost {:?} ...", call.vhost()),
        run: |call| of_vhost(call, "topic-permissions", &["user", "exchange", "write", "read"]),
    },
    Verb {
        name: "list_user_topic_permissions",
        usage: "list_user_topic_permissions [--no-table-headers] <username>",
        arguments: (1, 1),
        banner: |call| format!("Listing topic permissions for user {:?} ...", call.argument(0)),
        run: |call| of_user(call, "topic-permissions", &["vhost", "exchange", "write", "read"]),
    },
];

fn set(call: &Call) -> Outcome {
    let (user, vhost) = (call.argument(0), call.vhost());
    call.user_must_exist(user)?;
    call.vhost_must_exist(vhost)?;
    let body = json!({
        "configure": call.argument(1), "write": call.argument(2), "read": call.argument(3)
    });
    put(call, &path(&["permissions", vhost, user]), &body)
}

fn set_topic(call: &Call) -> Outcome {
    let (user, vhost) = (call.argument(0), call.vhost());
    call.user_must_exist(user)?;
    call.vhost_must_exist(vhost)?;
    let body = json!({
        "exchange": call.argument(1), "write": call.argument(2), "read": call.argument(3)
    });
    put(call, &path(&["topic-permissions", vhost, user]), &body)
}

/// What is refused then is a regular expression, which rabbitmqctl calls unavailable.
fn put(call: &Call, path: &str, body: &Value) -> Outcome {
    call.api.put(path, body).map_err(|failure| Failure::unavailable(failure.text))?;
    Ok(Said::Nothing)
}

/// Permissions that are not there are cleared.
fn clear(call: &Call, path: &str) -> Outcome {
    call.user_must_exist(call.argument(0))?;
    call.vhost_must_exist(call.vhost())?;
    match call.api.delete(path) {
        Err(failure) if failure.status != Some(404) => Err(failure),
        Ok(_) | Err(_) => Ok(Said::Nothing),
    }
}

fn of_vhost(call: &Call, what: &str, columns: &[&'static str]) -> Outcome {
    let vhost = call.vhost();
    let list = call.api.get(&path(&["vhosts", vhost, what]));
    let list = list.map_err(|failure| failure.if_missing(|| Failure::no_vhost(vhost)))?;
    Ok(Said::Rows(Rows::pick(columns, &objects(list))))
}

fn of_user(call: &Call, what: &str, columns: &[&'static str]) -> Outcome {
    let user = call.argument(0);
    let missing = || Failure::unavailable(format!("{{:no_such_user, {user:?}}}"));
    let list = call.api.get(&path(&["users", user, what]));
    let list = list.map_err(|failure| failure.if_missing(missing))?;
    Ok(Said::Rows(Rows::pick(columns, &objects(list))))
}
