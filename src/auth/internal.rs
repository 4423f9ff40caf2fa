//! The broker's own accounts as a backend.

use std::sync::Arc;

use parking_lot::RwLock;

use super::User;
use super::accounts::Accounts;
use super::backend::{Attempt, Backend, Deed, Known, Principal, Question, Right, Verdict};
use super::login::Refused;
use super::password::PasswordHash;

/// The broker's own accounts.
pub(super) struct Internal {
    pub(super) accounts: Arc<RwLock<Accounts>>,
    /// What the passwords of users that do not exist are compared with.
    pub(super) hash_of_nobody: PasswordHash,
}

impl Internal {
    fn user(&self, name: &str) -> Option<Arc<User>> {
        self.accounts.read().user(name)
    }

    fn has_password(&self, name: &str, password: &[u8]) -> bool {
        let user = self.user(name).filter(|user| !user.password.is_none());
        // A user that does not exist costs as much time as one with another password.
        let hash = user.as_ref().map_or(&self.hash_of_nobody, |user| &user.password);
        hash.is_of(password) && !password.is_empty() && user.is_some()
    }
}

impl Backend for Internal {
    fn name(&self) -> &'static str {
        "rabbit_auth_backend_internal"
    }

    fn authenticate(&self, attempt: &Attempt<'_>) -> Result<Known, Refused> {
        let Some(password) = attempt.password else { return self.adopt(attempt) };
        if self.has_password(attempt.name, password) {
            return self.adopt(attempt);
        }
        Err(Refused::InvalidCredentials(attempt.name.into()))
    }

    /// Whoever has shown somebody else that they are this user needs no password here.
    fn adopt(&self, attempt: &Attempt<'_>) -> Result<Known, Refused> {
        let unknown = || Refused::InvalidCredentials(attempt.name.into());
        let user = self.user(attempt.name).ok_or_else(unknown)?;
        Ok(Known { name: user.name.clone(), tags: user.tags.clone(), token: None })
    }

    fn may(&self, who: &Principal, question: &Question) -> Verdict {
        let (vhost, user) = (question.vhost.as_str(), who.name.as_str());
        let permission = self.accounts.read().permission(vhost, user);
        let Some(permission) = permission else { return false.into() };
        match &question.deed {
            Deed::Enter => Verdict::Allowed,
            Deed::Use { right, name, .. } => permission.of(*right).matches(name).into(),
            Deed::Topic { right, exchange, key } => {
                let topics = {
                    let accounts = self.accounts.read();
                    let of_user = accounts.topic_permissions_of(vhost, user);
                    of_user.and_then(|all| all.get(&**exchange).cloned())
                };
                let Some(topics) = topics else { return Verdict::Allowed };
                let pattern = if *right == Right::Write { &topics.write } else { &topics.read };
                pattern.of(user, vhost, None).matches(key).into()
            }
        }
    }

    fn is_quick(&self) -> bool {
        true
    }
}
