//! Users and their tags.

use std::io::BufRead;

use serde_json::{Value, json};

use super::call::{ANY, Call, Outcome, Said, Verb, objects, silent};
use super::client::path;
use super::failure::{Exit, Failure};
use super::output::Rows;

pub(super) const VERBS: &[Verb] = &[
    Verb {
        name: "add_user",
        usage: "add_user <username> [<password>] [--pre-hashed-password]",
        arguments: (1, 2),
        banner: |call| format!("Adding user {:?} ...", call.argument(0)),
        run: add,
    },
    Verb {
        name: "delete_user",
        usage: "delete_user <username>",
        arguments: (1, 1),
        banner: |call| format!("Deleting user {:?} ...", call.argument(0)),
        run: delete,
    },
    Verb {
        name: "change_password",
        usage: "change_password <username> [<password>]",
        arguments: (1, 2),
        banner: |call| format!("Changing password for user {:?} ...", call.argument(0)),
        run: |call| change(call, &json!({"password": password(call, 1)?})),
    },
    Verb {
        name: "clear_password",
        usage: "clear_password <username>",
        arguments: (1, 1),
        banner: |call| format!("Clearing password for user {:?} ...", call.argument(0)),
        run: |call| change(call, &json!({"password_hash": ""})),
    },
    Verb {
        name: "authenticate_user",
        usage: "authenticate_user <username> [<password>]",
        arguments: (1, 2),
        banner: |call| format!("Authenticating user {:?} ...", call.argument(0)),
        run: authenticate,
    },
    Verb {
        name: "set_user_tags",
        usage: "set_user_tags <username> [<tag> ...]",
        arguments: (1, ANY),
        banner: |call| {
            let tags = call.arguments()[1..].join(", ");
            format!("Setting tags for user {:?} to [{tags}] ...", call.argument(0))
        },
        run: |call| change(call, &json!({"tags": call.arguments()[1..]})),
    },
    Verb {
        name: "list_users",
        usage: "list_users [--no-table-headers]",
        arguments: (0, 0),
        banner: |_| "Listing users ...".into(),
        run: list,
    },
    Verb {
        name: "hash_password",
        usage: "hash_password [<password>]",
        arguments: (0, 1),
        banner: |call| format!("Will hash password {}", call.argument(0)).trim_end().to_owned(),
        run: hash,
    },
    Verb {
        name: "list_hashes",
        usage: "list_hashes",
        arguments: (0, 0),
        banner: |_| "Listing supported hash algorithms ...".into(),
        run: |_| Ok(Said::Text("sha256\nsha512\nmd5".into())),
    },
    Verb {
        name: "encode",
        usage: "encode <value> <passphrase>",
        arguments: (0, ANY),
        banner: silent,
        run: not_encrypted,
    },
    Verb {
        name: "decode",
        usage: "decode <value> <passphrase>",
        arguments: (0, ANY),
        banner: silent,
        run: not_encrypted,
    },
];

/// The password among the arguments, or from standard input.
fn password(call: &Call, at: usize) -> Result<String, Failure> {
    if let Some(password) = call.arguments().get(at) {
        return Ok(password.clone());
    }
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    let none = || Failure::usage("Password is not provided via argument or stdin");
    read.map_err(|_| none())?;
    let line = line.trim_end_matches(['\r', '\n']);
    if line.is_empty() { Err(none()) } else { Ok(line.to_owned()) }
}

fn add(call: &Call) -> Outcome {
    let name = call.argument(0);
    let password = password(call, 1)?;
    let user = path(&["users", name]);
    if call.api.exists(&user)? {
        return Err(Failure::new(Exit::Software, format!("User {name:?} already exists")));
    }
    let key = if call.line.has("pre-hashed-password") { "password_hash" } else { "password" };
    call.api.put(&user, &json!({key: password, "tags": ""}))?;
    Ok(Said::Text(
        "Done. Don't forget to grant the user permissions to some virtual hosts! See \
         'rabbitmqctl help set_permissions' to learn more."
            .into(),
    ))
}

/// A user who is not there is deleted, since RabbitMQ 4.
fn delete(call: &Call) -> Outcome {
    match call.api.delete(&path(&["users", call.argument(0)])) {
        Err(failure) if failure.status != Some(404) => Err(failure),
        Ok(_) | Err(_) => Ok(Said::Nothing),
    }
}

/// Changes some of what a user has; the API takes it as a whole.
fn change(call: &Call, to: &Value) -> Outcome {
    let name = call.argument(0);
    let user = path(&["users", name]);
    let there = call.api.get(&user);
    let there = there.map_err(|failure| failure.if_missing(|| Failure::no_user(name)))?;
    let mut body = json!({"tags": there["tags"]});
    if to.get("password").is_none() {
        body["password_hash"] = there["password_hash"].clone();
        body["hashing_algorithm"] = there["hashing_algorithm"].clone();
    }
    for (key, value) in to.as_object().into_iter().flatten() {
        body[key] = value.clone();
    }
    call.api.put(&user, &body)?;
    Ok(Said::Nothing)
}

fn authenticate(call: &Call) -> Outcome {
    let (name, password) = (call.argument(0), password(call, 1)?);
    let refused = || {
        Failure::data(format!(
            "Error: failed to authenticate user {name:?}\nuser '{name}' - invalid credentials"
        ))
    };
    match super::client_of(&call.line, name, &password).get("/whoami") {
        Ok(_) => {}
        // Who may not manage is who they say all the same.
        Err(failure) if failure.text == "Not management user" => {}
        Err(failure) if failure.status.is_some() => return Err(refused()),
        Err(failure) => return Err(failure),
    }
    Ok(Said::Text("Success".into()))
}

fn list(call: &Call) -> Outcome {
    let users = objects(call.api.get("/users")?);
    let rows = users.into_iter().map(|user| vec![user["name"].clone(), user["tags"].clone()]);
    Ok(Said::Rows(Rows::of(&["user", "tags"], rows.collect())))
}

fn hash(call: &Call) -> Outcome {
    let password = password(call, 0)?;
    let hash = crate::auth::password::PasswordHash::of(
        password.as_bytes(),
        crate::auth::password::HashingAlgorithm::Sha256,
    );
    Ok(Said::Text(hash.text()))
}

fn not_encrypted(_: &Call) -> Outcome {
    let why = "Warren has no encrypted settings: give a file that only its user may read";
    Err(Failure::new(Exit::Software, why))
}
