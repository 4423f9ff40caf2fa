//! The dashboard: static files that are part of the binary, under headers that let a browser run
//! nothing else. It is a client of the API like any other; the broker knows nothing more of it.
//!
//! All files but the page itself have the build's version in their path, so that a browser keeps
//! them and asks for nothing twice. A debug build reads them from disk at each request.

use std::fmt::Write;
use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::extract::{Extension, OriginalUri, Path};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};

use super::api::Api;
use super::middleware::EndedInSlash;
use super::problem::Problem;

/// What the page may do: run and show what came with it, and talk to its own broker. No script can
/// be made of a text (`trusted-types`), so that no name and no payload ever becomes one.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; connect-src 'self'; form-action 'none'; base-uri 'none'; \
    frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// What goes with everything here.
const HEADERS: [(HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

const PAGE: &str = "index.html";
/// What stands in the page where the version belongs.
const VERSION: &str = "{version}";
/// Bytes of the hash of all files that make the version.
const VERSION_BYTES: usize = 8;
const FOR_EVER: &str = "public, max-age=31536000, immutable";

#[derive(RustEmbed)]
#[folder = "src/management/dashboard/"]
struct Files;

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new()
        .route("/", get(page))
        .route("/assets/{version}/{*path}", get(asset))
        .layer(map_response(async |answer: Response| (HEADERS, answer)))
}

/// The page. Its links are relative, which also works behind a proxy that takes a prefix away;
/// therefore its own address has to end in a slash.
async fn page(
    OriginalUri(uri): OriginalUri,
    slash: Option<Extension<EndedInSlash>>,
    headers: HeaderMap,
) -> Response {
    if let Some(last) = uri.path().rsplit('/').next().filter(|last| !last.is_empty())
        && slash.is_none()
    {
        let place = [(header::LOCATION, format!("{last}/"))];
        return (StatusCode::PERMANENT_REDIRECT, place).into_response();
    }
    let version = version();
    // Weak: it is sent compressed and not.
    let tag = format!("W/\"{version}\"");
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|known| known == tag.as_str());
    let caching = [(header::CACHE_CONTROL, "no-cache".to_owned()), (header::ETAG, tag)];
    if known {
        return (StatusCode::NOT_MODIFIED, caching).into_response();
    }
    let Some(page) = Files::get(PAGE) else { return Problem::not_found().into_response() };
    let text = String::from_utf8_lossy(&page.data).replace(VERSION, &version);
    (caching, [(header::CONTENT_TYPE, content_type(PAGE))], text).into_response()
}

/// A file of this build. One of another build is not there: the page that wants it learns that
/// there is a new one.
async fn asset(Path((wanted, path)): Path<(String, String)>) -> Response {
    let file = if wanted == version() && path != PAGE { Files::get(&path) } else { None };
    let Some(file) = file else { return Problem::not_found().into_response() };
    let headers = [(header::CACHE_CONTROL, FOR_EVER), (header::CONTENT_TYPE, content_type(&path))];
    (headers, file.data).into_response()
}

/// What tells this build's files from others'.
fn version() -> String {
    static BUILD: LazyLock<String> = LazyLock::new(version_now);
    if cfg!(debug_assertions) { version_now() } else { BUILD.clone() }
}

fn version_now() -> String {
    let mut hash = Sha256::new();
    for name in Files::iter() {
        hash.update(name.as_bytes());
        if let Some(file) = Files::get(&name) {
            hash.update(file.metadata.sha256_hash());
        }
    }
    hash.finalize().iter().take(VERSION_BYTES).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some(_) | None => "text/plain; charset=utf-8",
    }
}
