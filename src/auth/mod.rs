//! Who may come in, and what they may do: users, passwords, tags, permissions, and the SASL
//! mechanisms by which clients say who they are.
//!
//! Who is asked is a chain of backends ([`Backend`]): the broker's own accounts, a server over HTTP,
//! tokens that somebody else signs. Whoever has come in is a [`Principal`], who knows their backend.
//! Owns accounts and their rows in the catalogue. It must not know connections or frames, nor
//! which vhosts there are. Functions that change something take who does it, for the audit log
//! (target `warren::audit`), and return the log position that makes the change safe.

mod accounts;
mod asking;
mod attempts;
mod backend;
mod cache;
mod chain;
pub mod happenings;
mod http;
mod internal;
mod login;
mod oauth2;
pub mod password;
mod pattern;
pub mod rows;
mod sasl;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::RwLock;

pub use crate::client::BadClientSetting as BadBackendSetting;
pub use accounts::{AccountError, Permission, TopicPermission, User};
pub use attempts::{Attempts, Source};
pub use backend::{Attempt, Backend, Deed, Known, Principal, Question, Resource, Right, Verdict};
pub use chain::Outside;
pub use login::{CertificateNames, Origin, Refused};
pub use oauth2::Token;
pub use pattern::{BadPattern, Pattern, TopicPattern};
pub use sasl::BadResponse;

use crate::config::{AuthConfig, DefaultsConfig};
use crate::names::{LogPosition, UserName};
use crate::topology::rows::{BadRow, RowChange};
use accounts::Accounts;
use asking::Asking;
use attempts::Counters;
use chain::Chain;
use internal::Internal;
use password::{HashingAlgorithm, PasswordHash};

/// What writes rows down, in the order in which they are made.
type WriteRows = Box<dyn Fn(&[RowChange]) -> LogPosition + Send + Sync>;

/// The users of a broker and their permissions.
pub struct Auth {
    accounts: Arc<RwLock<Accounts>>,
    /// The accounts as a backend.
    internal: Arc<dyn Backend>,
    chain: Chain,
    asking: Asking,
    /// Changes whenever somebody may do more or less than before.
    version: AtomicU64,
    write_rows: WriteRows,
    config: AuthConfig,
    attempts: Counters,
    loopback_only: Vec<UserName>,
}

/// What a user's new password is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// This one, to be hashed.
    Password(String),
    /// The one that this is the hash of.
    Hash(PasswordHash),
    /// None: the user cannot log in with a password.
    None,
}

/// A change that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// What was put was not there before.
    pub new: bool,
    /// The log position that makes it safe.
    pub safe_at: LogPosition,
}

impl Auth {
    /// Nobody yet. `write_rows` is called with each change, under the lock of the accounts.
    pub fn new(
        config: AuthConfig,
        outside: &Outside,
        defaults: &DefaultsConfig,
        write_rows: impl Fn(&[RowChange]) -> LogPosition + Send + Sync + 'static,
    ) -> Self {
        let accounts = Arc::<RwLock<Accounts>>::default();
        let hash_of_nobody = PasswordHash::of(b"nobody", config.password_hashing.into());
        let internal: Arc<dyn Backend> =
            Arc::new(Internal { accounts: Arc::clone(&accounts), hash_of_nobody });
        Self {
            accounts,
            chain: Chain::new(&config, outside, Arc::clone(&internal)),
            internal,
            asking: Asking::new(&config),
            version: AtomicU64::new(0),
            write_rows: Box::new(write_rows),
            attempts: Counters::new(config.track_attempt_source),
            config,
            loopback_only: defaults.loopback_users.iter().map(|name| name[..].into()).collect(),
        }
    }

    /// Takes a row of the catalogue back, at start.
    pub fn restore(&self, key: &[u8], value: &[u8]) -> Result<(), BadRow> {
        let row = rows::read(key, value)?;
        self.accounts.write().restore(row);
        Ok(())
    }

    /// Makes the default user, unless that was done in this data directory before.
    pub fn begin(&self, defaults: &DefaultsConfig) -> Result<(), AccountError> {
        if self.accounts.read().begun {
            return Ok(());
        }
        let (user, vhost) = (defaults.user.as_str(), defaults.vhost.as_str());
        let password = Credentials::Password(defaults.pass.clone());
        self.put_user(user, password, defaults.tags.clone(), "warren")?;
        let permission = Permission {
            vhost: vhost.into(),
            user: user.into(),
            configure: Pattern::parse(&defaults.configure)?,
            write: Pattern::parse(&defaults.write)?,
            read: Pattern::parse(&defaults.read)?,
        };
        self.put_permission(permission, "warren")?;
        self.accounts.write().begun = true;
        (self.write_rows)(&[rows::begun()]);
        Ok(())
    }

    /// Changes whenever somebody may do more or less than before: what was remembered of an older
    /// version is to be asked again.
    #[inline]
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// For how long a connection goes by the answer of a backend that has to be waited for.
    pub fn remembers_answers_for(&self) -> Duration {
        Duration::from_secs(self.config.http.remember)
    }

    /// All users, by name.
    pub fn users(&self) -> Vec<Arc<User>> {
        self.accounts.read().users()
    }

    /// The user of a name.
    pub fn user(&self, name: &str) -> Option<Arc<User>> {
        self.accounts.read().user(name)
    }

    /// Makes a user, or changes their password and tags.
    pub fn put_user(
        &self,
        name: &str,
        credentials: Credentials,
        tags: Vec<String>,
        by: &str,
    ) -> Result<Done, AccountError> {
        if name.is_empty() {
            return Err(AccountError::NoName);
        }
        // Hashing may be slow, and is done before the lock is taken.
        let password = self.hashed(credentials)?;
        audit(by, "user put", format_args!("name={name:?} tags={tags:?}"));
        let user = User { name: name.into(), password, tags };
        self.put(|accounts| Ok(accounts.put_user(user)))
    }

    fn hashed(&self, credentials: Credentials) -> Result<PasswordHash, AccountError> {
        let minimum = self.config.min_password_length;
        let algorithm: HashingAlgorithm = self.config.password_hashing.into();
        match credentials {
            Credentials::None => Ok(PasswordHash::default()),
            Credentials::Hash(hash) => Ok(hash),
            Credentials::Password(password) if password.is_empty() => {
                Err(AccountError::BlankPassword)
            }
            Credentials::Password(password) if password.chars().count() < minimum => {
                Err(AccountError::PasswordTooShort { minimum })
            }
            Credentials::Password(password) => Ok(PasswordHash::of(password.as_bytes(), algorithm)),
        }
    }

    /// Deletes a user with all their permissions.
    pub fn delete_user(&self, name: &str, by: &str) -> Result<LogPosition, AccountError> {
        let position = self.change(|accounts| accounts.delete_user(name))?;
        audit(by, "user deleted", format_args!("name={name:?}"));
        Ok(position)
    }

    /// All permissions, by vhost and user.
    pub fn permissions(&self) -> Vec<Arc<Permission>> {
        self.accounts.read().permissions()
    }

    /// What a user may do in a vhost.
    pub fn permission(&self, vhost: &str, user: &str) -> Option<Arc<Permission>> {
        self.accounts.read().permission(vhost, user)
    }

    /// Gives a user permissions in a vhost, in place of those they had there. Whether there is
    /// such a vhost is the caller's to know.
    pub fn put_permission(&self, permission: Permission, by: &str) -> Result<Done, AccountError> {
        let what = permission.to_string();
        let done = self.put(|accounts| accounts.put_permission(permission))?;
        audit(by, "permission put", what);
        Ok(done)
    }

    /// Takes a user's permissions in a vhost away.
    pub fn delete_permission(
        &self,
        vhost: &str,
        user: &str,
        by: &str,
    ) -> Result<LogPosition, AccountError> {
        let position =
            self.change(|accounts| Ok(vec![accounts.delete_permission(vhost, user)?]))?;
        audit(by, "permission deleted", format_args!("vhost={vhost:?} user={user:?}"));
        Ok(position)
    }

    /// All topic permissions, by vhost, user and exchange.
    pub fn topic_permissions(&self) -> Vec<Arc<TopicPermission>> {
        self.accounts.read().topic_permissions()
    }

    /// The topic permissions of a user in a vhost, by exchange.
    pub fn topic_permissions_of(&self, vhost: &str, user: &str) -> Vec<Arc<TopicPermission>> {
        let accounts = self.accounts.read();
        let of_user = accounts.topic_permissions_of(vhost, user);
        of_user.into_iter().flat_map(|all| all.values().cloned()).collect()
    }

    /// Says with which routing keys a user may use a topic exchange.
    pub fn put_topic_permission(
        &self,
        permission: TopicPermission,
        by: &str,
    ) -> Result<Done, AccountError> {
        let what = permission.to_string();
        let done = self.put(|accounts| accounts.put_topic_permission(permission))?;
        audit(by, "topic permission put", what);
        Ok(done)
    }

    /// Lifts a user's topic permissions in a vhost: of one exchange, or all.
    pub fn delete_topic_permissions(
        &self,
        vhost: &str,
        user: &str,
        exchange: Option<&str>,
        by: &str,
    ) -> Result<LogPosition, AccountError> {
        let position =
            self.change(|accounts| accounts.delete_topic_permissions(vhost, user, exchange))?;
        let what = format_args!("vhost={vhost:?} user={user:?} exchange={exchange:?}");
        audit(by, "topic permissions deleted", what);
        Ok(position)
    }

    /// A vhost is gone, and so are the permissions in it.
    pub fn vhost_deleted(&self, vhost: &str) -> LogPosition {
        let gone = self.change(|accounts| Ok(accounts.vhost_deleted(vhost)));
        gone.expect("forgetting is not refused")
    }

    fn put(
        &self,
        put: impl FnOnce(&mut Accounts) -> Result<(RowChange, bool), AccountError>,
    ) -> Result<Done, AccountError> {
        let mut new = false;
        let safe_at = self.change(|accounts| {
            let row;
            (row, new) = put(accounts)?;
            Ok(vec![row])
        })?;
        Ok(Done { new, safe_at })
    }

    fn change(
        &self,
        change: impl FnOnce(&mut Accounts) -> Result<Vec<RowChange>, AccountError>,
    ) -> Result<LogPosition, AccountError> {
        let mut accounts = self.accounts.write();
        let rows = change(&mut accounts)?;
        self.version.fetch_add(1, Ordering::Release);
        // Written in the order in which they were made.
        Ok((self.write_rows)(&rows))
    }
}

/// One line for each administrative act.
fn audit(by: &str, act: &str, what: impl fmt::Display) {
    tracing::info!(target: "warren::audit", by, "{act}: {what}");
}
