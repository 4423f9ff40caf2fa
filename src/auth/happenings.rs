//! What changes of users and permissions are called where events are told
//! (`amq.rabbitmq.event`).

use crate::topology::rows::RowChange;

/// A routing key, and facts by their names.
pub type Told = (&'static str, Vec<(&'static str, String)>);

/// What a change of a row means. `known`: there was such a row before.
pub fn told(change: &RowChange, known: bool) -> Option<Told> {
    let value = change.value.as_ref().and_then(|value| value.get(1..));
    let (kind, key) = change.key.split_first()?;
    match kind {
        b'U' => {
            let name: String = postcard::from_bytes(key).ok()?;
            let what = match (value, known) {
                (Some(_), false) => "user.created",
                (Some(_), true) => "user.password.changed",
                (None, _) => "user.deleted",
            };
            Some((what, vec![("name", name)]))
        }
        b'P' => {
            let (vhost, user): (String, String) = postcard::from_bytes(key).ok()?;
            let mut facts = vec![("vhost", vhost), ("user", user)];
            let Some(value) = value else { return Some(("permission.deleted", facts)) };
            let (configure, write, read) = postcard::from_bytes(value).ok()?;
            facts.extend([("configure", configure), ("write", write), ("read", read)]);
            Some(("permission.created", facts))
        }
        b'T' => {
            let (vhost, user, exchange): (String, String, String) =
                postcard::from_bytes(key).ok()?;
            let mut facts = vec![("vhost", vhost), ("user", user), ("exchange", exchange)];
            let Some(value) = value else { return Some(("topic.permission.deleted", facts)) };
            let (write, read) = postcard::from_bytes(value).ok()?;
            facts.extend([("write", write), ("read", read)]);
            Some(("topic.permission.created", facts))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::accounts::Permission;
    use crate::auth::pattern::Pattern;
    use crate::auth::rows;

    #[test]
    fn a_permission_comes_and_goes() {
        let pattern = |text: &str| Pattern::parse(text).expect("good");
        let row = rows::permission(&Permission {
            vhost: "/".into(),
            user: "u".into(),
            configure: pattern("^c"),
            write: pattern(".*"),
            read: pattern(""),
        });
        let who = [("vhost", "/".to_owned()), ("user", "u".to_owned())];
        let what = [("configure", "^c"), ("write", ".*"), ("read", "")];
        let what = what.map(|(name, text)| (name, text.to_owned()));
        let all = [&who[..], &what[..]].concat();
        assert_eq!(told(&row, false), Some(("permission.created", all)));
        assert_eq!(told(&rows::gone(row), true), Some(("permission.deleted", who.to_vec())));
        assert_eq!(told(&rows::begun(), false), None);
    }
}
