//! The dashboard's files: what is served, under which headers, and what is not.

use crate::http::{Answer, raw, send};
use crate::support::TestBroker;

/// Asks without credentials, as a browser does before anybody has logged in.
fn fetch(broker: &TestBroker, method: &str, path: &str, headers: &str) -> Answer {
    let said =
        format!("{method} {path} HTTP/1.1\r\nHost: warren\r\nConnection: close\r\n{headers}\r\n");
    raw(broker.server().http_address(), said.as_bytes()).expect("an answer")
}

fn page(broker: &TestBroker, path: &str) -> String {
    let answer = fetch(broker, "GET", path, "Accept: text/html\r\n");
    assert_eq!(answer.status, 200, "{answer:?}");
    String::from_utf8(answer.body).expect("the page is text")
}

/// The addresses that a page names, as they stand there.
fn links(page: &str) -> Vec<&str> {
    let named = |attribute: &'static str| {
        page.split(attribute).skip(1).filter_map(|rest| rest.split('"').next())
    };
    named("href=\"").chain(named("src=\"")).collect()
}

#[test]
fn the_page_and_all_it_names_are_there_without_a_login() {
    let broker = TestBroker::start();
    let page = page(&broker, "/");
    let links = links(&page);
    assert!(links.len() > 5, "{links:?}");
    for link in links {
        let answer = fetch(&broker, "GET", &format!("/{link}"), "");
        assert_eq!(answer.status, 200, "{link}");
        let kept = answer.header("cache-control").expect("files may be kept");
        assert!(kept.contains("immutable"), "{link}: {kept}");
        let kind = answer.header("content-type").expect("files have a type");
        let expected = match link.rsplit('.').next() {
            Some("js") => "text/javascript; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("svg") => "image/svg+xml",
            Some(_) | None => panic!("{link} is of no kind that is expected"),
        };
        assert_eq!(kind, expected, "{link}");
    }
}

#[test]
fn a_browser_may_run_nothing_but_the_dashboard() {
    let broker = TestBroker::start();
    let page = fetch(&broker, "GET", "/", "");
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.contains("default-src 'none'"), "{policy}");
    assert!(policy.contains("require-trusted-types-for 'script'"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    for (name, value) in [
        ("x-frame-options", "DENY"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-cache"),
    ] {
        assert_eq!(page.header(name), Some(value));
    }
    let text = String::from_utf8_lossy(&page.body);
    assert!(!text.contains("<style") && !text.contains("<script>"), "nothing inline");
}

#[test]
fn a_page_that_is_known_is_not_sent_again() {
    let broker = TestBroker::start();
    let tag = fetch(&broker, "GET", "/", "").header("etag").expect("a tag").to_owned();
    let again = fetch(&broker, "GET", "/", &format!("If-None-Match: {tag}\r\n"));
    assert_eq!((again.status, again.body.len()), (304, 0));
    let other = fetch(&broker, "GET", "/", "If-None-Match: W/\"other\"\r\n");
    assert_eq!(other.status, 200);
}

#[test]
fn files_are_sent_compressed_and_only_their_head_if_that_is_asked_for() {
    let broker = TestBroker::start();
    let page = page(&broker, "/");
    let script = links(&page).into_iter().find(|link| link.ends_with("preact.js"));
    let script = format!("/{}", script.expect("the page loads Preact"));
    let whole = fetch(&broker, "GET", &script, "");
    let packed = fetch(&broker, "GET", &script, "Accept-Encoding: gzip\r\n");
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert!(packed.body.len() < whole.body.len(), "{} {}", packed.body.len(), whole.body.len());
    let head = fetch(&broker, "HEAD", &script, "");
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(fetch(&broker, "POST", &script, "Content-Length: 0\r\n").status, 405);
}

#[test]
fn nothing_else_can_be_fetched() {
    let broker = TestBroker::start();
    let page = page(&broker, "/");
    let version = links(&page)[0].split('/').nth(1).expect("assets/version/…").to_owned();
    for path in [
        format!("/assets/{version}/index.html"),
        format!("/assets/{version}/../../../Cargo.toml"),
        format!("/assets/{version}/..%2F..%2F..%2FCargo.toml"),
        format!("/assets/{version}/%2e%2e/dashboard.rs"),
        format!("/assets/{version}//etc/passwd"),
        format!("/assets/{version}/%2Fetc%2Fpasswd"),
        format!("/assets/{version}/nothing.js"),
        format!("/assets/{version}"),
        "/assets/another-version/js/app.js".into(),
        "/index.html".into(),
    ] {
        assert_eq!(fetch(&broker, "GET", &path, "").status, 404, "{path}");
    }
}

#[test]
fn behind_a_prefix_the_page_ends_in_a_slash_so_that_its_links_are_right() {
    let broker = TestBroker::with(|config| config.http.path_prefix = "/tools/warren".into());
    let to = fetch(&broker, "GET", "/tools/warren", "");
    assert_eq!((to.status, to.header("location")), (308, Some("warren/")));
    let page = page(&broker, "/tools/warren/");
    for link in links(&page) {
        assert_eq!(
            fetch(&broker, "GET", &format!("/tools/warren/{link}"), "").status,
            200,
            "{link}"
        );
    }
    assert_eq!(fetch(&broker, "GET", "/", "").status, 404);
}

#[test]
fn who_does_not_take_json_is_refused_by_the_api_and_not_by_the_dashboard() {
    let broker = TestBroker::start();
    let html = [("Accept", "text/html")];
    assert_eq!(send(&broker, "GET", "/api/whoami", &html, b"").status, 406);
    assert_eq!(send(&broker, "GET", "/", &html, b"").status, 200);
}
