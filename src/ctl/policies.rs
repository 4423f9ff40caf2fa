//! Policies, operator policies, runtime parameters and global parameters.

use serde_json::{Value, json};

use super::call::{Call, Outcome, Said, Verb, objects};
use super::client::path;
use super::failure::Failure;
use super::output::Rows;

pub(super) const VERBS: &[Verb] = &[
    Verb {
        name: "set_policy",
        usage: "set_policy [--vhost <vhost>] [--priority <priority>] [--apply-to <apply-to>] <name> <pattern> <definition>",
        arguments: (3, 4),
        banner: |call| banner_of_set(call, "policy"),
        run: |call| set(call, "policies"),
    },
    Verb {
        name: "set_operator_policy",
        usage: "set_operator_policy [--vhost <vhost>] [--priority <priority>] [--apply-to <apply-to>] <name> <pattern> <definition>",
        arguments: (3, 4),
        banner: |call| banner_of_set(call, "operator policy override"),
        run: |call| set(call, "operator-policies"),
    },
    Verb {
        name: "clear_policy",
        usage: "clear_policy [--vhost <vhost>] <name>",
        arguments: (1, 1),
        banner: |call| {
            format!("Clearing policy {:?} on vhost {:?} ...", call.argument(0), call.vhost())
        },
        run: |call| clear(call, &path(&["policies", call.vhost(), call.argument(0)])),
    },
    Verb {
        name: "clear_operator_policy",
        usage: "clear_operator_policy [--vhost <vhost>] <name>",
        arguments: (1, 1),
        banner: |call| {
            let (name, vhost) = (call.argument(0), call.vhost());
            format!("Clearing operator policy override {name:?} on vhost {vhost:?} ...")
        },
        run: |call| clear(call, &path(&["operator-policies", call.vhost(), call.argument(0)])),
    },
    Verb {
        name: "list_policies",
        usage: "list_policies [--vhost <vhost>] [--no-table-headers]",
        arguments: (0, 0),
        banner: |call| format!("Listing policies for vhost {:?} ...", call.vhost()),
        run: |call| list(call, "policies", |_| true),
    },
    Verb {
        name: "list_operator_policies",
        usage: "list_operator_policies [--vhost <vhost>] [--no-table-headers]",
        arguments: (0, 0),
        banner: |call| {
            format!("Listing operator policy overrides for vhost {:?} ...", call.vhost())
        },
        run: |call| list(call, "operator-policies", |_| true),
    },
    Verb {
        name: "list_policies_that_match",
        usage: "list_policies_that_match [--vhost <vhost>] [--object-type <type>] <name>",
        arguments: (1, 1),
        banner: |call| {
            let (name, vhost) = (call.argument(0), call.vhost());
            format!("Listing policies that match queue '{name}' in vhost '{vhost}' ...")
        },
        run: matching,
    },
    Verb {
        name: "set_parameter",
        usage: "set_parameter [--vhost <vhost>] <component> <name> <value>",
        arguments: (3, 3),
        banner: |call| {
            let (component, name, value) = (call.argument(0), call.argument(1), call.argument(2));
            let vhost = call.vhost();
            format!(
                "Setting runtime parameter \"{name}\" for component \"{component}\" to \"{value}\" in vhost \"{vhost}\" ..."
            )
        },
        run: |call| {
            let body = json!({"value": call.json(2)?});
            put(
                call,
                &path(&["parameters", call.argument(0), call.vhost(), call.argument(1)]),
                &body,
            )
        },
    },
    Verb {
        name: "clear_parameter",
        usage: "clear_parameter [--vhost <vhost>] <component> <name>",
        arguments: (2, 2),
        banner: |call| {
            let (component, name, vhost) = (call.argument(0), call.argument(1), call.vhost());
            format!(
                "Clearing runtime parameter {name:?} for component {component:?} on vhost {vhost:?} ..."
            )
        },
        run: |call| {
            clear(call, &path(&["parameters", call.argument(0), call.vhost(), call.argument(1)]))
        },
    },
    Verb {
        name: "list_parameters",
        usage: "list_parameters [--vhost <vhost>] [--no-table-headers]",
        arguments: (0, 0),
        banner: |call| format!("Listing runtime parameters for vhost {:?} ...", call.vhost()),
        run: parameters,
    },
    Verb {
        name: "set_global_parameter",
        usage: "set_global_parameter <name> <value>",
        arguments: (2, 2),
        banner: |call| {
            let (name, value) = (call.argument(0), call.argument(1));
            format!("Setting global runtime parameter \"{name}\" to \"{value}\" ...")
        },
        run: |call| {
            let body = json!({"value": call.json(1)?});
            put(call, &path(&["global-parameters", call.argument(0)]), &body)
        },
    },
    Verb {
        name: "clear_global_parameter",
        usage: "clear_global_parameter <name>",
        arguments: (1, 1),
        banner: |call| format!("Clearing global runtime parameter {:?} ...", call.argument(0)),
        run: |call| clear(call, &path(&["global-parameters", call.argument(0)])),
    },
    Verb {
        name: "list_global_parameters",
        usage: "list_global_parameters [--no-table-headers]",
        arguments: (0, 0),
        banner: |_| "Listing global runtime parameters ...".into(),
        run: |call| {
            let mut all = objects(call.api.get("/global-parameters")?);
            all.iter_mut().for_each(|each| as_text(each, "value"));
            Ok(Said::Rows(Rows::pick(&["name", "value"], &all)))
        },
    },
    Verb {
        name: "set_cluster_name",
        usage: "set_cluster_name <name>",
        arguments: (1, 1),
        banner: |call| format!("Setting cluster name to {} ...", call.argument(0)),
        run: |call| put(call, "/cluster-name", &json!({"name": call.argument(0)})),
    },
];

fn priority(call: &Call) -> &str {
    let argument = call.arguments().get(3).map(String::as_str);
    argument.or_else(|| call.line.option("priority")).unwrap_or("0")
}

fn banner_of_set(call: &Call, what: &str) -> String {
    let (name, pattern, definition) = (call.argument(0), call.argument(1), call.argument(2));
    let (priority, vhost) = (priority(call), call.vhost());
    format!(
        "Setting {what} \"{name}\" for pattern \"{pattern}\" to \"{definition}\" with priority \
         \"{priority}\" for vhost \"{vhost}\" ..."
    )
}

fn set(call: &Call, what: &str) -> Outcome {
    let priority: i64 =
        priority(call).parse().map_err(|_| Failure::data("priority must be a whole number"))?;
    let body = json!({
        "pattern": call.argument(1),
        "definition": call.json(2)?,
        "priority": priority,
        "apply-to": call.line.option("apply-to").unwrap_or("all"),
    });
    put(call, &path(&[what, call.vhost(), call.argument(0)]), &body)
}

/// What the broker refuses is `unavailable` in rabbitmqctl too.
fn put(call: &Call, path: &str, body: &Value) -> Outcome {
    call.api.put(path, body).map_err(|failure| {
        let missing = failure.status == Some(404);
        if missing { Failure::no_vhost(call.vhost()) } else { Failure::unavailable(failure.text) }
    })?;
    Ok(Said::Nothing)
}

fn clear(call: &Call, path: &str) -> Outcome {
    let gone = || Failure::unavailable("Parameter does not exist");
    call.api.delete(path).map_err(|failure| failure.if_missing(gone))?;
    Ok(Said::Nothing)
}

/// RabbitMQ shows these as the JSON texts that they were set with.
fn as_text(object: &mut Value, key: &str) {
    object[key] = Value::String(object[key].to_string());
}

const POLICY: [&str; 6] = ["vhost", "name", "pattern", "apply-to", "definition", "priority"];

fn list(call: &Call, what: &str, wanted: impl Fn(&Value) -> bool) -> Outcome {
    let vhost = call.vhost();
    let all = call.api.get(&path(&[what, vhost]));
    let all = all.map_err(|failure| failure.if_missing(|| Failure::no_vhost(vhost)))?;
    let mut all = objects(all);
    all.retain(|policy| wanted(policy));
    all.iter_mut().for_each(|policy| as_text(policy, "definition"));
    Ok(Said::Rows(Rows::pick(&POLICY, &all)))
}

fn matching(call: &Call) -> Outcome {
    let name = call.argument(0);
    list(call, "policies", |policy| {
        let pattern = policy["pattern"].as_str().unwrap_or_default();
        let fits =
            fancy_regex::Regex::new(pattern).is_ok_and(|p| p.is_match(name).unwrap_or(false));
        fits && policy["apply-to"].as_str().is_some_and(|to| to != "exchanges")
    })
}

fn parameters(call: &Call) -> Outcome {
    let mut all = objects(call.api.get("/parameters")?);
    // As in RabbitMQ, policies have a verb of their own, operator policies are among the rest.
    all.retain(|each| each["vhost"] == call.vhost() && each["component"] != "policy");
    all.iter_mut().for_each(|each| as_text(each, "value"));
    Ok(Said::Rows(Rows::pick(&["component", "name", "value"], &all)))
}
