//! Scopes: what a token allows. `read:VHOST/NAME` or `write:VHOST/NAME/ROUTING-KEY`, each part with
//! wildcards, and percent-encoded where it has characters that mean something here.

use std::borrow::Cow;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

use crate::auth::backend::Right;

/// What stands for the vhost in a scope.
const VHOST: &str = "{vhost}";

/// Scopes that are meant for this broker, without their prefix.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Scopes(Vec<String>);

/// One thing that is allowed.
struct Grant {
    right: Right,
    vhost: Wildcard,
    name: Wildcard,
    /// Without one, nothing is said about routing keys.
    key: Option<Wildcard>,
}

/// Text with `*` for anything: what stands between these.
struct Wildcard(Vec<Vec<u8>>);

impl Scopes {
    /// Scopes, in which `{name}` stands for a claim of their token: for its characters, whatever
    /// these are. RabbitMQ takes them for a part of the scope.
    pub(super) fn new<'s>(
        scopes: impl IntoIterator<Item = &'s str>,
        claims: &Map<String, Value>,
    ) -> Self {
        let claim = |name: &str| match claims.get(name) {
            Some(Value::String(text)) => quoted(text),
            // The name stands for itself, as with RabbitMQ.
            Some(_) | None => quoted(name),
        };
        let filled = |scope: &str| {
            filled_in(scope, |name| if name == "vhost" { VHOST.into() } else { claim(name) })
        };
        Self(scopes.into_iter().map(filled).collect())
    }

    /// Whether a vhost may be entered: by whoever may do anything there.
    pub(super) fn enter(&self, vhost: &str) -> bool {
        self.grants(vhost).next().is_some()
    }

    /// Whether an exchange or a queue may be used.
    pub(super) fn allow(&self, right: Right, vhost: &str, name: &str) -> bool {
        self.grants(vhost).any(|grant| grant.right == right && grant.name.matches(name))
    }

    /// Whether a routing key may be used with a topic exchange.
    pub(super) fn allow_topic(&self, right: Right, vhost: &str, exchange: &str, key: &str) -> bool {
        self.grants(vhost).any(|grant| {
            let keys = grant.key.as_ref();
            grant.right == right
                && grant.name.matches(exchange)
                && keys.is_some_and(|keys| keys.matches(key))
        })
    }

    fn grants(&self, vhost: &str) -> impl Iterator<Item = Grant> {
        let scopes = self.0.iter();
        let grants =
            scopes.filter_map(move |scope| Grant::parse(&scope.replace(VHOST, &quoted(vhost))));
        grants.filter(move |grant| grant.vhost.matches(vhost))
    }
}

impl Grant {
    fn parse(scope: &str) -> Option<Self> {
        let (right, what) = scope.split_once(':')?;
        let right = match right {
            "configure" => Right::Configure,
            "write" => Right::Write,
            "read" => Right::Read,
            _ => return None,
        };
        let parts: Vec<&str> = what.split('/').collect();
        let (vhost, name, key) = match parts[..] {
            [vhost, name] => (vhost, name, None),
            [vhost, name, key] => (vhost, name, Some(Wildcard::parse(key)?)),
            _ => return None,
        };
        Some(Self { right, vhost: Wildcard::parse(vhost)?, name: Wildcard::parse(name)?, key })
    }
}

impl Wildcard {
    fn parse(text: &str) -> Option<Self> {
        text.split('*').map(unquoted).collect::<Option<Vec<_>>>().map(Self)
    }

    fn matches(&self, text: &str) -> bool {
        let text = text.as_bytes();
        let Some((first, others)) = self.0.split_first() else { return false };
        let Some((last, between)) = others.split_last() else { return first == text };
        let Some(mut rest) = text.strip_prefix(&first[..]) else { return false };
        for part in between {
            let Some(at) = find(rest, part) else { return false };
            rest = &rest[at + part.len()..];
        }
        rest.ends_with(last)
    }
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    if part.is_empty() {
        return Some(0);
    }
    text.windows(part.len()).position(|window| window == part)
}

/// Text that means nothing but itself in a scope.
fn quoted(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// The bytes of percent-encoded text; `None` if it is none.
fn unquoted(text: &str) -> Option<Vec<u8>> {
    let is_hex = |digit: Option<&u8>| digit.is_some_and(u8::is_ascii_hexdigit);
    let bytes = text.as_bytes();
    let mut signs = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'%');
    if !signs.all(|(at, _)| is_hex(bytes.get(at + 1)) && is_hex(bytes.get(at + 2))) {
        return None;
    }
    let spaced: Cow<'_, str> = text.replace('+', " ").into();
    Some(percent_encoding::percent_decode_str(&spaced).collect())
}

/// A scope with what stands in braces replaced; a brace that is never closed ends it.
fn filled_in(scope: &str, value: impl Fn(&str) -> String) -> String {
    let mut filled = String::new();
    let mut rest = scope;
    while let Some((before, after)) = rest.split_once('{') {
        filled += before;
        let Some((name, behind)) = after.split_once('}') else { return filled };
        filled += &value(name);
        rest = behind;
    }
    filled + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        Wildcard::parse(pattern).is_some_and(|wildcard| wildcard.matches(text))
    }

    fn scopes(scopes: &[&str]) -> Scopes {
        let claims = serde_json::json!({"sub": "anna", "team": "a/b*", "n": 1});
        Scopes::new(scopes.iter().copied(), claims.as_object().expect("an object"))
    }

    #[test]
    fn wildcards() {
        for (pattern, text) in [
            ("*", ""),
            ("*", "anything"),
            ("**", "a"),
            ("a*", "a"),
            ("*a", "aba"),
            ("a*c", "abc"),
            ("a*b*c", "a-b-b-c"),
            ("%2F", "/"),
            ("a+b", "a b"),
            ("a%2ab", "a*b"),
            ("%C3%BC*", "übel"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("", "a"),
            ("a", "ab"),
            ("a*", "b"),
            ("*a", "ab"),
            ("a*a", "a"),
            ("a*b*c", "a-c-b"),
            ("a%2ab", "axb"),
            ("%2", "%2"),
            ("%zz*", "%zz"),
        ] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn rights_are_told_apart() {
        let scopes = scopes(&["read:a/q*", "write:a/x", "configure:b/*"]);
        assert!(scopes.enter("a") && scopes.enter("b") && !scopes.enter("c"));
        assert!(scopes.allow(Right::Read, "a", "q1"));
        assert!(!scopes.allow(Right::Read, "a", "p"));
        assert!(!scopes.allow(Right::Read, "b", "q1"));
        assert!(!scopes.allow(Right::Write, "a", "q1"));
        assert!(scopes.allow(Right::Write, "a", "x"));
        assert!(scopes.allow(Right::Configure, "b", "anything"));
        assert!(!scopes.allow(Right::Configure, "a", "x"));
    }

    #[test]
    fn routing_keys_are_allowed_only_where_they_are_spoken_of() {
        let scopes = scopes(&["write:*/x", "write:*/y/a.*", "read:*/y/*"]);
        assert!(scopes.allow(Right::Write, "v", "x") && scopes.allow(Right::Write, "v", "y"));
        assert!(!scopes.allow_topic(Right::Write, "v", "x", "a.b"));
        assert!(scopes.allow_topic(Right::Write, "v", "y", "a.b"));
        assert!(!scopes.allow_topic(Right::Write, "v", "y", "b"));
        assert!(scopes.allow_topic(Right::Read, "v", "y", "b"));
    }

    #[test]
    fn what_is_no_scope_allows_nothing() {
        let all = ["", "read", "read:", "read:a", "read:a/b/c/d", "peek:a/b", "read:%/%", "tag:x"];
        let scopes = scopes(&all);
        assert!(!scopes.enter("a") && !scopes.enter("") && !scopes.enter("%"));
    }

    #[test]
    fn placeholders_stand_for_characters() {
        let mine = scopes(&["read:{vhost}/{sub}-*", "write:v/{team}", "configure:v/{n}{none}"]);
        assert!(mine.allow(Right::Read, "/", "anna-1"));
        assert!(!mine.allow(Right::Read, "/", "otto-1"));
        assert!(mine.allow(Right::Read, "*", "anna-1"));
        assert!(mine.allow(Right::Write, "v", "a/b*") && !mine.allow(Right::Write, "v", "a/bc"));
        assert!(mine.allow(Right::Configure, "v", "nnone"));
        assert!(!scopes(&["read:v/{sub"]).allow(Right::Read, "v", "anna"));
    }
}
