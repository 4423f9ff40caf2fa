//! Users: names, password hashes and tags.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::{get, post};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::answer::{Answer, done, list, object, put as put_answer};
use super::api::Api;
use super::caller::{Administrator, Caller};
use super::fields::{Fields, Named, Query};
use super::listing::{NameFilter, Row};
use super::problem::Problem;
use super::routes::Routes;
use crate::auth::password::{HashingAlgorithm, PasswordHash};
use crate::auth::{AccountError, Credentials, User};
use crate::broker::actor::carried;

pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/users", get(all))
        .route("/users/without-permissions", get(without_permissions))
        .route("/users/bulk-delete", post(bulk_delete))
        .route("/users/{name}", get(one).put(put).delete(delete))
        .route("/auth/hash_password/{password}", get(hash_password))
}

/// A user as RabbitMQ lists it.
#[derive(Serialize)]
pub(super) struct UserView {
    name: String,
    password_hash: String,
    hashing_algorithm: &'static str,
    tags: Vec<String>,
    limits: Map<String, Value>,
}

impl Row for UserView {
    fn fits(&self, filter: &NameFilter) -> bool {
        filter.fits(&self.name)
    }
}

impl UserView {
    pub(super) fn of(api: &Api, user: &User) -> Self {
        Self {
            name: user.name.to_string(),
            password_hash: user.password.text(),
            hashing_algorithm: user.password.algorithm().name(),
            tags: user.tags.clone(),
            limits: api.broker.user_limits(&user.name).to_json(),
        }
    }
}

impl From<AccountError> for Problem {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::NoSuchUser(_) | AccountError::NoSuchPermission { .. } => {
                Self::not_found()
            }
            AccountError::NoName
            | AccountError::BlankPassword
            | AccountError::PasswordTooShort { .. }
            | AccountError::BadHash(_)
            | AccountError::BadPattern(_) => Self::bad_request(error),
        }
    }
}

async fn all(State(api): State<Arc<Api>>, _: Administrator, Query(query): Query) -> Answer {
    list(query, move |_| {
        api.broker.auth.users().iter().map(|user| UserView::of(&api, user)).collect()
    })
    .await
}

async fn without_permissions(
    State(api): State<Arc<Api>>,
    _: Administrator,
    Query(query): Query,
) -> Answer {
    list(query, move |_| {
        let permissions = api.broker.auth.permissions();
        let may = |user: &User| permissions.iter().any(|each| each.user == user.name);
        let users = api.broker.auth.users();
        users.iter().filter(|user| !may(user)).map(|user| UserView::of(&api, user)).collect()
    })
    .await
}

async fn one(State(api): State<Arc<Api>>, caller: Caller, Named(name): Named<String>) -> Answer {
    if !caller.is_administrator() && caller.user.as_str() != name {
        return Err(Problem::not_authorised("Not administrator user"));
    }
    let user = api.broker.auth.user(&name).ok_or_else(Problem::not_found)?;
    Ok(object(&UserView::of(&api, &user)))
}

async fn put(
    State(api): State<Arc<Api>>,
    Administrator(caller): Administrator,
    Named(name): Named<String>,
    fields: Fields,
) -> Answer {
    let by = caller.user.as_str();
    let is_new = put_user(&api, &name, &fields, HashingAlgorithm::Sha256, by).await?;
    Ok(put_answer(is_new))
}

/// Makes or changes a user as a body says. `algorithm` is that of a hash whose body does not say.
pub(super) async fn put_user(
    api: &Arc<Api>,
    name: &str,
    fields: &Fields,
    algorithm: HashingAlgorithm,
    by: &str,
) -> Result<bool, Problem> {
    let tags = tags(fields)?;
    let credentials = credentials(fields, algorithm)?;
    let (api, name, by) = (Arc::clone(api), name.to_owned(), by.to_owned());
    let to_wait = Arc::clone(&api);
    // Hashing takes time on purpose; it must not keep others waiting.
    let put = move || api.broker.auth.put_user(&name, credentials, tags, &by);
    let put = tokio::task::spawn_blocking(carried(put));
    let put = put.await.expect("putting a user does not panic and is not cancelled")?;
    to_wait.safe(put.safe_at).await;
    Ok(put.new)
}

/// A list, or a text with commas.
fn tags(fields: &Fields) -> Result<Vec<String>, Problem> {
    let bad = || Problem::bad_request("tags must be a list or a comma-separated text");
    match fields.get("tags") {
        None => Err(Problem::bad_request("tags_not_present")),
        Some(Value::String(text)) => Ok(words(text)),
        Some(Value::Array(tags)) => tags
            .iter()
            .map(|tag| match tag {
                Value::String(tag) => Ok(tag.clone()),
                Value::Number(tag) => Ok(tag.to_string()),
                Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err(bad()),
            })
            .collect(),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) => Err(bad()),
    }
}

fn words(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|tag| !tag.is_empty()).map(str::to_owned).collect()
}

fn credentials(fields: &Fields, algorithm: HashingAlgorithm) -> Result<Credentials, Problem> {
    let password = fields.text("password")?;
    let hash = fields.text("password_hash")?;
    match (password, hash) {
        (Some(_), Some(_)) => {
            Err(Problem::bad_request("both_password_and_password_hash_are_provided"))
        }
        // Without a password a user can log in by other means alone.
        (None, None) => Ok(Credentials::None),
        (Some(blank), None) | (None, Some(blank)) if blank.is_empty() => Ok(Credentials::None),
        (Some(password), None) => Ok(Credentials::Password(password)),
        (None, Some(hash)) => {
            let named = fields.text("hashing_algorithm")?;
            let algorithm = match &named {
                None => algorithm,
                Some(name) => HashingAlgorithm::of_name(name).ok_or_else(|| {
                    Problem::bad_request_value(json!(["unknown_hashing_algorithm", name]))
                })?,
            };
            let not_base64 = |_| Problem::bad_request_value(json!(["not_base64", hash]));
            Ok(Credentials::Hash(PasswordHash::parse(&hash, algorithm).map_err(not_base64)?))
        }
    }
}

async fn delete(
    State(api): State<Arc<Api>>,
    Administrator(caller): Administrator,
    Named(name): Named<String>,
) -> Answer {
    let position = api.broker.delete_user(&name, caller.user.as_str())?;
    api.broker.forget_user_limits(&name.as_str().into());
    api.safe(position).await;
    Ok(done())
}

/// Those that are not there are gone already.
async fn bulk_delete(
    State(api): State<Arc<Api>>,
    Administrator(caller): Administrator,
    fields: Fields,
) -> Answer {
    fields.must_have(&["users"])?;
    let Some(Value::Array(names)) = fields.get("users") else {
        return Err(Problem::bad_request("users must be a list"));
    };
    for name in names.iter().filter_map(Value::as_str) {
        match api.broker.delete_user(name, caller.user.as_str()) {
            Ok(position) => api.safe(position).await,
            Err(AccountError::NoSuchUser(_)) => {}
            Err(other) => return Err(other.into()),
        }
    }
    Ok(done())
}

async fn hash_password(_: Administrator, Named(password): Named<String>) -> Answer {
    let hash = PasswordHash::of(password.as_bytes(), HashingAlgorithm::Sha256);
    Ok(object(&json!({"ok": hash.text()})))
}
