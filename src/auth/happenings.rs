//! What changes of users and permissions are called where events are told
//! (`amq.rabbitmq.event`).

use super::accounts::{Permission, TopicPermission, User};
use super::rows::{self, Row};
use crate::topology::rows::RowChange;
use crate::wire::table::{ArrayBuilder, Table, TableBuilder, Value};

/// A routing key, and the facts.
pub type Told = (&'static str, Table);

/// What a change of a row means. `before`: the row's value until now, if there was one.
pub fn told(change: &RowChange, before: Option<&[u8]>) -> Vec<Told> {
    let read = |value: Option<&[u8]>| value.and_then(|value| rows::read(&change.key, value).ok());
    match (read(before), read(change.value.as_deref())) {
        (before, Some(Row::User(after))) => {
            let before = match before {
                Some(Row::User(user)) => Some(user),
                Some(Row::Permission(_) | Row::TopicPermission(_) | Row::Begun) | None => None,
            };
            changed(before.as_ref(), &after)
        }
        (_, Some(Row::Permission(after))) => vec![("permission.created", permission(&after))],
        (_, Some(Row::TopicPermission(after))) => {
            vec![("topic.permission.created", topic_permission(&after))]
        }
        (Some(Row::User(gone)), None) => vec![("user.deleted", named(&gone).build())],
        (Some(Row::Permission(gone)), None) => {
            let of = of(gone.vhost.as_str(), gone.user.as_str());
            vec![("permission.deleted", of.build())]
        }
        (Some(Row::TopicPermission(gone)), None) => {
            let of = of(gone.vhost.as_str(), gone.user.as_str());
            let of = of.with("exchange", text(gone.exchange.as_str()));
            vec![("topic.permission.deleted", of.build())]
        }
        (_, Some(Row::Begun)) | (Some(Row::Begun) | None, None) => Vec::new(),
    }
}

/// A user who is new, or has another password or other tags.
fn changed(before: Option<&User>, after: &User) -> Vec<Told> {
    let mut told = Vec::new();
    match before {
        None => told.push(("user.created", named(after).build())),
        Some(before) if before.password == after.password => {}
        Some(_) if after.password.is_none() => {
            told.push(("user.password.cleared", named(after).build()));
        }
        Some(_) => told.push(("user.password.changed", named(after).build())),
    }
    let tags = before.map_or(&[][..], |before| &before.tags);
    if tags != after.tags {
        let mut all = ArrayBuilder::new();
        after.tags.iter().for_each(|tag| all.push(text(tag)));
        told.push(("user.tags.set", named(after).with("tags", all.as_value()).build()));
    }
    told
}

fn named(user: &User) -> TableBuilder {
    TableBuilder::new().with("name", text(user.name.as_str()))
}

fn of(vhost: &str, user: &str) -> TableBuilder {
    TableBuilder::new().with("vhost", text(vhost)).with("user", text(user))
}

fn permission(permission: &Permission) -> Table {
    of(permission.vhost.as_str(), permission.user.as_str())
        .with("configure", text(permission.configure.as_str()))
        .with("write", text(permission.write.as_str()))
        .with("read", text(permission.read.as_str()))
        .build()
}

fn topic_permission(permission: &TopicPermission) -> Table {
    of(permission.vhost.as_str(), permission.user.as_str())
        .with("exchange", text(permission.exchange.as_str()))
        .with("write", text(permission.write.as_str()))
        .with("read", text(permission.read.as_str()))
        .build()
}

fn text(text: &str) -> Value<'_> {
    Value::Text(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::password::{HashingAlgorithm, PasswordHash};
    use crate::auth::pattern::Pattern;

    fn keys(before: Option<&RowChange>, change: &RowChange) -> Vec<&'static str> {
        let before = before.and_then(|before| before.value.as_deref());
        told(change, before).into_iter().map(|(key, _)| key).collect()
    }

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
        let who = [("vhost", "/"), ("user", "u")];
        let what = [("configure", "^c"), ("write", ".*"), ("read", "")];
        let table = |facts: &[(&str, &str)]| {
            facts.iter().fold(TableBuilder::new(), |all, (name, fact)| all.with(name, text(fact)))
        };
        let all = table(&[&who[..], &what[..]].concat()).build();
        assert_eq!(told(&row, None), [("permission.created", all)]);
        let (gone, before) = (rows::gone(row.clone()), row.value.as_deref());
        assert_eq!(told(&gone, before), [("permission.deleted", table(&who).build())]);
        assert_eq!(told(&rows::begun(), None), []);
    }

    /// As RabbitMQ 4.3.6 tells it; it tells of tags that stay as they are, too.
    #[test]
    fn a_user_comes_changes_and_goes() {
        let user = |password: &str, tags: &[&str]| {
            let algorithm = HashingAlgorithm::Sha256;
            let password = match password {
                "" => PasswordHash::parse("", algorithm).expect("none"),
                some => PasswordHash::of(some.as_bytes(), algorithm),
            };
            let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
            User { name: "anna".into(), password, tags }
        };
        let first = user("a", &[]);
        let row = rows::user(&first);
        assert_eq!(keys(None, &row), ["user.created"]);
        let with_tags = rows::user(&User { tags: vec!["monitoring".into()], ..first });
        assert_eq!(keys(None, &with_tags), ["user.created", "user.tags.set"]);
        assert_eq!(keys(Some(&row), &with_tags), ["user.tags.set"]);
        assert_eq!(keys(Some(&with_tags), &with_tags), [""; 0]);
        let (_, facts) = &told(&with_tags, None)[1];
        let mut tags = ArrayBuilder::new();
        tags.push(text("monitoring"));
        assert_eq!(facts.get("tags"), Some(tags.as_value()));
        let other = rows::user(&user("b", &["monitoring"]));
        assert_eq!(keys(Some(&with_tags), &other), ["user.password.changed"]);
        let cleared = rows::user(&user("", &["monitoring"]));
        assert_eq!(keys(Some(&other), &cleared), ["user.password.cleared"]);
        assert_eq!(keys(Some(&cleared), &rows::gone(row)), ["user.deleted"]);
    }
}
