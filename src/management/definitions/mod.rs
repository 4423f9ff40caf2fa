//! Definitions: everything but messages, as one JSON document; RabbitMQ's own files go in.

mod export;
mod import;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::answer::{Answer, columns, done};
use super::api::Api;
use super::caller::Administrator;
use super::fields::{Fields, Flags, Named, Query};
use super::problem::Problem;
use super::routes::Routes;

pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/definitions", get(of_all).post(into_all))
        .route("/all-configuration", get(of_all).post(into_all))
        .route("/definitions/{vhost}", get(of_vhost).post(into_vhost))
}

/// Why definitions cannot be taken at start.
#[derive(Debug, thiserror::Error)]
pub enum CannotLoad {
    /// A file cannot be read.
    #[error("cannot read definitions from {file}: {why}")]
    Unreadable {
        /// Which.
        file: PathBuf,
        /// What the system says.
        why: std::io::Error,
    },
    /// What it says is refused.
    #[error("definitions in {file} are refused: {why}")]
    Refused {
        /// Which.
        file: PathBuf,
        /// Why.
        why: String,
    },
}

impl Api {
    /// All definitions, as JSON for people.
    pub fn definitions(&self) -> String {
        serde_json::to_string_pretty(&export::all(self)).expect("definitions are JSON")
    }

    /// Takes the definitions of a file, or of all `.json` files in a directory, by name.
    pub async fn load_definitions(self: &Arc<Self>, path: &Path) -> Result<(), CannotLoad> {
        for file in files(path)? {
            let unreadable = |why| CannotLoad::Unreadable { file: file.clone(), why };
            let text = std::fs::read(&file).map_err(unreadable)?;
            let refused =
                |why: Problem| CannotLoad::Refused { file: file.clone(), why: why.reason() };
            let fields = Fields::parse(&text).map_err(refused)?;
            import::all(self, &fields, "definitions.load").await.map_err(refused)?;
            tracing::info!(file = %file.display(), "definitions loaded");
        }
        Ok(())
    }
}

fn files(path: &Path) -> Result<Vec<PathBuf>, CannotLoad> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let unreadable = |why| CannotLoad::Unreadable { file: path.to_owned(), why };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        if file.extension().is_some_and(|extension| extension == "json") {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

async fn of_all(
    State(api): State<Arc<Api>>,
    _: Administrator,
    Query(query): Query,
    flags: Flags,
) -> Answer {
    let written = tokio::task::spawn_blocking(move || columns(&export::all(&api), &query));
    let written = written.await.expect("an export does not panic and is not cancelled");
    Ok(as_download(written, flags.get("download")))
}

async fn into_all(
    State(api): State<Arc<Api>>,
    Administrator(caller): Administrator,
    fields: Fields,
) -> Answer {
    import::all(&api, &fields, caller.user.as_str()).await?;
    Ok(done())
}

async fn of_vhost(
    State(api): State<Arc<Api>>,
    _: Administrator,
    Named(vhost): Named<String>,
    Query(query): Query,
    flags: Flags,
) -> Answer {
    let missing = || Problem::bad_request("vhost_not_found");
    let vhost = api.broker.vhost(&vhost).ok_or_else(missing)?;
    let written = tokio::task::spawn_blocking(move || columns(&export::one(&vhost), &query));
    let written = written.await.expect("an export does not panic and is not cancelled");
    Ok(as_download(written, flags.get("download")))
}

async fn into_vhost(
    State(api): State<Arc<Api>>,
    Administrator(_): Administrator,
    Named(vhost): Named<String>,
    fields: Fields,
) -> Answer {
    let missing = || Problem::bad_request("vhost_not_found");
    let vhost = api.broker.vhost(&vhost).ok_or_else(missing)?;
    import::one(&api, &vhost, &fields).await?;
    Ok(done())
}

/// Makes a browser save the answer as a file.
fn as_download(answer: Response, file: Option<&str>) -> Response {
    let Some(file) = file else { return answer };
    let safe = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let file: String = file.chars().filter(safe).collect();
    let mut answer = answer.into_response();
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename={file}")) {
        answer.headers_mut().insert(header::CONTENT_DISPOSITION, value);
    }
    answer
}
