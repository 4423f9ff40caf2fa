//! Answers that are no refusals.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::listing::{self, BadQuery, ListQuery, Row};
use super::problem::Problem;

/// What a handler gives back.
pub(super) type Answer = Result<Response, Problem>;

/// JSON that is written already.
pub(super) fn json_bytes(json: Vec<u8>) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache")];
    (headers, json).into_response()
}

/// One object.
pub(super) fn object(object: &impl Serialize) -> Response {
    json_bytes(listing::one(object, &ListQuery::default()))
}

/// One object, with the columns that are asked for.
pub(super) fn columns(object: &impl Serialize, query: &ListQuery) -> Response {
    json_bytes(listing::one(object, query))
}

/// A list. Its rows are made and written where they keep nobody waiting: a long one takes longer
/// than a task may.
pub(super) async fn list<R: Row + Send + 'static>(
    query: ListQuery,
    rows: impl FnOnce(&ListQuery) -> Vec<R> + Send + 'static,
) -> Answer {
    let written = tokio::task::spawn_blocking(move || {
        let rows = rows(&query);
        listing::list(rows, &query)
    });
    let written: Result<Vec<u8>, BadQuery> =
        written.await.expect("making a list does not panic and is not cancelled");
    Ok(json_bytes(written?))
}

/// 201: it is new.
pub(super) fn created() -> Response {
    StatusCode::CREATED.into_response()
}

/// 204: done.
pub(super) fn done() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

/// 201 if it is new, 204 if it was there.
pub(super) fn put(is_new: bool) -> Response {
    if is_new { created() } else { done() }
}
