//! The broker's latest log lines, and those to come as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::routing::get;
use futures_util::stream::{self, Stream, StreamExt};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::answer::{Answer, object};
use super::api::Api;
use super::caller::Monitor;
use super::fields::Flags;
use super::problem::Problem;
use super::routes::Routes;
use crate::logs::{Level, Line};

/// How many lines there are if nothing else is asked for.
const LINES: usize = 100;

pub(super) fn routes() -> Routes {
    Routes::new().route("/logs", get(latest)).route("/logs/stream", get(follow))
}

/// What is asked for: `lines` and `level`.
fn asked(parameters: &Flags) -> Result<(usize, Level), Problem> {
    let lines = match parameters.get("lines") {
        Some(lines) => lines.parse().map_err(|_| Problem::bad_request("lines is no number"))?,
        None => LINES,
    };
    let level = match parameters.get("level") {
        Some(level) => Level::read(level).ok_or_else(|| {
            Problem::bad_request("level is none of: error, warn, info, debug, trace")
        })?,
        None => Level::Trace,
    };
    Ok((lines, level))
}

async fn latest(State(api): State<Arc<Api>>, _: Monitor, parameters: Flags) -> Answer {
    let (lines, level) = asked(&parameters)?;
    let lines = api.logs.latest(lines, level);
    Ok(object(&lines.iter().map(|line| &**line).collect::<Vec<_>>()))
}

async fn follow(State(api): State<Arc<Api>>, _: Monitor, parameters: Flags) -> Answer {
    let (lines, level) = asked(&parameters)?;
    let (before, after) = api.logs.follow(lines, level);
    let lines = stream::iter(before.into_iter().map(|line| event(&line))).chain(new(after, level));
    // So that a proxy passes each line on at once.
    let unbuffered = [("x-accel-buffering", "no")];
    let caching = [(header::CACHE_CONTROL, "no-cache")];
    let events = Sse::new(lines).keep_alive(KeepAlive::default());
    Ok((unbuffered, caching, events).into_response())
}

/// Lines as they come. Whoever is too slow is told how many were missed.
fn new(lines: Receiver<Arc<Line>>, level: Level) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(lines, move |mut lines| async move {
        loop {
            match lines.recv().await {
                Ok(line) if line.level >= level => return Some((event(&line), lines)),
                Ok(_) => {}
                Err(RecvError::Lagged(missed)) => {
                    let event = Event::default().event("missed").data(missed.to_string());
                    return Some((Ok(event), lines));
                }
                Err(RecvError::Closed) => return None,
            }
        }
    })
}

fn event(line: &Line) -> Result<Event, Infallible> {
    let json = serde_json::to_string(line).expect("a line is JSON");
    Ok(Event::default().id(line.id.to_string()).event("line").data(json))
}
