//! Users and what they may do: the state, and how it changes. Each change is told as rows of the
//! catalogue.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::backend::Right;
use super::password::{BadHash, PasswordHash};
use super::pattern::{BadPattern, Pattern, TopicPattern};
use super::rows::{self, Row};
use crate::names::{ExchangeName, UserName, VhostName};
use crate::topology::rows::RowChange;

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// What they log in as.
    pub name: UserName,
    /// The hash of what they log in with.
    pub password: PasswordHash,
    /// `administrator`, `monitoring`, `policymaker`, `management`, `impersonator`, or anything.
    pub tags: Vec<String>,
}

impl User {
    /// Whether they have a tag.
    pub fn has_tag(&self, tag: &str) -> bool {
        self.tags.iter().any(|each| each == tag)
    }
}

/// What a user may do in a vhost; whoever has none may not enter it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// Where.
    pub vhost: VhostName,
    /// Who.
    pub user: UserName,
    /// The names they may declare and delete.
    pub configure: Pattern,
    /// The names they may publish and bind to.
    pub write: Pattern,
    /// The names they may consume, get and bind from.
    pub read: Pattern,
}

impl Permission {
    /// The names that a right is for.
    pub fn of(&self, right: Right) -> &Pattern {
        match right {
            Right::Configure => &self.configure,
            Right::Write => &self.write,
            Right::Read => &self.read,
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { vhost, user, configure, write, read } = self;
        let (vhost, user) = (vhost.as_str(), user.as_str());
        write!(
            f,
            "vhost={vhost:?} user={user:?} configure={configure:?} write={write:?} read={read:?}"
        )
    }
}

/// With which routing keys a user may use a topic exchange; without one, with all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicPermission {
    /// Where.
    pub vhost: VhostName,
    /// Who.
    pub user: UserName,
    /// The topic exchange.
    pub exchange: ExchangeName,
    /// The routing keys they may publish with.
    pub write: TopicPattern,
    /// The routing keys they may bind with.
    pub read: TopicPattern,
}

impl fmt::Display for TopicPermission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { vhost, user, exchange, write, read } = self;
        let (vhost, user, exchange) = (vhost.as_str(), user.as_str(), exchange.as_str());
        write!(f, "vhost={vhost:?} user={user:?} exchange={exchange:?} ")?;
        write!(f, "write={:?} read={:?}", write.as_str(), read.as_str())
    }
}

/// Why users or permissions cannot be changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// There is no such user.
    #[error("user '{0}' does not exist")]
    NoSuchUser(String),
    /// The user has no such permission.
    #[error("user '{user}' has no such permission in vhost '{vhost}'")]
    NoSuchPermission {
        /// Who.
        user: String,
        /// Where.
        vhost: String,
    },
    /// A user without a name.
    #[error("user name must not be empty")]
    NoName,
    /// A password that is no password.
    #[error("blank password is not allowed")]
    BlankPassword,
    /// A password that does not follow the rules for passwords.
    #[error("password has to be at least {minimum} characters long")]
    PasswordTooShort {
        /// `auth.min_password_length`
        minimum: usize,
    },
    /// A hash that is none.
    #[error(transparent)]
    BadHash(#[from] BadHash),
    /// A permission that is no regular expression.
    #[error(transparent)]
    BadPattern(#[from] BadPattern),
}

/// What a user has in one vhost.
type InVhost = (VhostName, UserName);

/// All users of a broker and their permissions.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    users: BTreeMap<UserName, Arc<User>>,
    permissions: BTreeMap<InVhost, Arc<Permission>>,
    topic_permissions: BTreeMap<InVhost, BTreeMap<ExchangeName, Arc<TopicPermission>>>,
    /// The default user was made, some time.
    pub(super) begun: bool,
}

impl Accounts {
    /// Takes a row of the catalogue back, at start.
    pub(super) fn restore(&mut self, row: Row) {
        match row {
            Row::User(user) => drop(self.put_user(user)),
            Row::Permission(permission) => drop(self.insert_permission(permission)),
            Row::TopicPermission(permission) => self.insert_topic_permission(permission),
            Row::Begun => self.begun = true,
        }
    }

    pub(super) fn users(&self) -> Vec<Arc<User>> {
        self.users.values().cloned().collect()
    }

    pub(super) fn user(&self, name: &str) -> Option<Arc<User>> {
        self.users.get(name).cloned()
    }

    /// Returns the row, and whether the user is new.
    pub(super) fn put_user(&mut self, user: User) -> (RowChange, bool) {
        let row = rows::user(&user);
        (row, self.users.insert(user.name.clone(), Arc::new(user)).is_none())
    }

    /// Permissions go with their user.
    pub(super) fn delete_user(&mut self, name: &str) -> Result<Vec<RowChange>, AccountError> {
        let user = self.users.remove(name);
        let user = user.ok_or_else(|| AccountError::NoSuchUser(name.into()))?;
        let mut changes = self.forget(|(_, each)| *each == user.name);
        changes.push(rows::gone(rows::user(&user)));
        Ok(changes)
    }

    /// Permissions go with their vhost.
    pub(super) fn vhost_deleted(&mut self, vhost: &str) -> Vec<RowChange> {
        self.forget(|(each, _)| each.as_str() == vhost)
    }

    fn forget(&mut self, meant: impl Fn(&InVhost) -> bool) -> Vec<RowChange> {
        let mut changes = Vec::new();
        self.permissions.retain(|key, permission| {
            let goes = meant(key);
            if goes {
                changes.push(rows::gone(rows::permission(permission)));
            }
            !goes
        });
        self.topic_permissions.retain(|key, permissions| {
            let goes = meant(key);
            if goes {
                let rows = permissions.values().map(|each| rows::topic_permission(each));
                changes.extend(rows.map(rows::gone));
            }
            !goes
        });
        changes
    }

    pub(super) fn permissions(&self) -> Vec<Arc<Permission>> {
        self.permissions.values().cloned().collect()
    }

    pub(super) fn permission(&self, vhost: &str, user: &str) -> Option<Arc<Permission>> {
        self.permissions.get(&in_vhost(vhost, user)).cloned()
    }

    /// Returns the row, and whether the permission is new.
    pub(super) fn put_permission(
        &mut self,
        permission: Permission,
    ) -> Result<(RowChange, bool), AccountError> {
        self.known(&permission.user)?;
        Ok(self.insert_permission(permission))
    }

    fn insert_permission(&mut self, permission: Permission) -> (RowChange, bool) {
        let row = rows::permission(&permission);
        let key = (permission.vhost.clone(), permission.user.clone());
        (row, self.permissions.insert(key, Arc::new(permission)).is_none())
    }

    pub(super) fn delete_permission(
        &mut self,
        vhost: &str,
        user: &str,
    ) -> Result<RowChange, AccountError> {
        self.known(&user.into())?;
        let gone = self.permissions.remove(&in_vhost(vhost, user));
        let gone = gone.ok_or_else(|| no_such_permission(vhost, user))?;
        Ok(rows::gone(rows::permission(&gone)))
    }

    pub(super) fn topic_permissions(&self) -> Vec<Arc<TopicPermission>> {
        self.topic_permissions.values().flat_map(|each| each.values().cloned()).collect()
    }

    pub(super) fn topic_permissions_of(
        &self,
        vhost: &str,
        user: &str,
    ) -> Option<&BTreeMap<ExchangeName, Arc<TopicPermission>>> {
        self.topic_permissions.get(&in_vhost(vhost, user))
    }

    /// Returns the row, and whether the permission is new.
    pub(super) fn put_topic_permission(
        &mut self,
        permission: TopicPermission,
    ) -> Result<(RowChange, bool), AccountError> {
        self.known(&permission.user)?;
        let row = rows::topic_permission(&permission);
        let of_user =
            self.topic_permissions_of(permission.vhost.as_str(), permission.user.as_str());
        let new = of_user.is_none_or(|all| !all.contains_key(&permission.exchange));
        self.insert_topic_permission(permission);
        Ok((row, new))
    }

    fn insert_topic_permission(&mut self, permission: TopicPermission) {
        let key = (permission.vhost.clone(), permission.user.clone());
        let of_user = self.topic_permissions.entry(key).or_default();
        of_user.insert(permission.exchange.clone(), Arc::new(permission));
    }

    /// Deletes a user's topic permissions in a vhost: for one exchange, or all.
    pub(super) fn delete_topic_permissions(
        &mut self,
        vhost: &str,
        user: &str,
        exchange: Option<&str>,
    ) -> Result<Vec<RowChange>, AccountError> {
        self.known(&user.into())?;
        let key = in_vhost(vhost, user);
        let missing = || no_such_permission(vhost, user);
        let of_user = self.topic_permissions.get_mut(&key).ok_or_else(missing)?;
        let gone: Vec<Arc<TopicPermission>> = match exchange {
            Some(exchange) => vec![of_user.remove(exchange).ok_or_else(missing)?],
            None => std::mem::take(of_user).into_values().collect(),
        };
        if of_user.is_empty() {
            self.topic_permissions.remove(&key);
        }
        Ok(gone.iter().map(|each| rows::gone(rows::topic_permission(each))).collect())
    }

    fn known(&self, user: &UserName) -> Result<(), AccountError> {
        let missing = || AccountError::NoSuchUser(user.to_string());
        self.users.contains_key(user).then_some(()).ok_or_else(missing)
    }
}

fn in_vhost(vhost: &str, user: &str) -> InVhost {
    (vhost.into(), user.into())
}

fn no_such_permission(vhost: &str, user: &str) -> AccountError {
    AccountError::NoSuchPermission { user: user.into(), vhost: vhost.into() }
}
