//! What belongs to no vhost: global parameters, the cluster's name, the limits of users.
//!
//! What is changed here is durable once the log is so up to [`super::Shared::last_row`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;

use super::Broker;
use super::throttle::Throttle;
use super::vhost_rules::Put;
use crate::names::UserName;
use crate::policy::Invalid;
use crate::topology::happenings::parameter;
use crate::topology::limits::{Limits, LimitsOf};
use crate::topology::parameters::{CLUSTER_NAME, check_global};
use crate::topology::rows::rules::{self, Rule};
use crate::topology::rows::{Row, gone};
use crate::wire::table::Value::Text;

/// What the component of global parameters is called.
const GLOBAL: &str = "global";

impl Broker {
    /// The global parameters, by name.
    pub fn global_parameters(&self) -> BTreeMap<String, Value> {
        self.globals.read().parameters.clone()
    }

    /// A global parameter.
    pub fn global_parameter(&self, name: &str) -> Option<Value> {
        self.globals.read().parameters.get(name).cloned()
    }

    /// Adds or replaces a global parameter.
    pub fn put_global_parameter(&self, name: &str, value: Value) -> Result<Put, Invalid> {
        check_global(name, &value)?;
        let mut globals = self.globals.write();
        self.shared.write_rows(&[rules::global(name, &value)], &[]);
        self.shared.tell("parameter.set", |_| parameter(GLOBAL, name, Some(&value)));
        Ok(Put::of(globals.parameters.insert(name.to_owned(), value).is_none()))
    }

    /// Removes a global parameter. Returns whether there was one.
    pub fn delete_global_parameter(&self, name: &str) -> bool {
        let mut globals = self.globals.write();
        let Some(value) = globals.parameters.remove(name) else { return false };
        self.shared.write_rows(&[gone(rules::global(name, &value))], &[]);
        self.shared.tell("parameter.cleared", |_| parameter(GLOBAL, name, None));
        true
    }

    /// The cluster's name, if it was given one.
    pub fn cluster_name(&self) -> Option<String> {
        let globals = self.globals.read();
        globals.parameters.get(CLUSTER_NAME).and_then(Value::as_str).map(str::to_owned)
    }

    /// The limits of all users that have any.
    pub fn all_user_limits(&self) -> BTreeMap<UserName, Limits> {
        self.globals.read().user_limits.clone()
    }

    /// The limits of a user.
    pub fn user_limits(&self, user: &UserName) -> Limits {
        self.globals.read().user_limits.get(user).cloned().unwrap_or_default()
    }

    /// Sets a user's limit: `max-connections` or `max-channels`. The caller knows the user.
    pub fn set_user_limit(
        &self,
        user: &UserName,
        name: &str,
        value: &Value,
    ) -> Result<(), Invalid> {
        self.change_user_limits(user, |limits| limits.with(LimitsOf::User, name, value))
    }

    /// Sets all of a user's limits, as definitions have them.
    pub fn set_user_limits(&self, user: &UserName, limits: Limits) {
        let set = self.change_user_limits(user, |_| Ok(limits));
        debug_assert_eq!(set, Ok(()), "they were checked before");
    }

    /// Clears a user's limit, if it is set.
    pub fn clear_user_limit(&self, user: &UserName, name: &str) {
        let cleared = self.change_user_limits(user, |limits| Ok(limits.without(name)));
        debug_assert_eq!(cleared, Ok(()), "fewer limits are as good as more");
    }

    /// A user is gone: so are their limits.
    pub fn forget_user_limits(&self, user: &UserName) {
        self.set_user_limits(user, Limits::default());
        self.user_throttles.remove(user);
    }

    /// How fast a user may publish.
    pub fn user_throttle(&self, user: &UserName) -> Arc<Throttle> {
        let limits = self.user_limits(user);
        let throttle = self.user_throttles.entry(user.clone()).or_default();
        throttle.set(&limits, Instant::now());
        Arc::clone(&throttle)
    }

    fn change_user_limits(
        &self,
        user: &UserName,
        change: impl FnOnce(&Limits) -> Result<Limits, Invalid>,
    ) -> Result<(), Invalid> {
        let mut globals = self.globals.write();
        let before = globals.user_limits.get(user).cloned().unwrap_or_default();
        let limits = change(&before)?;
        if limits == before {
            return Ok(());
        }
        let username = Text(user.as_str().as_bytes());
        if limits.iter().any(|(name, limit)| before.iter().all(|was| was != (name, limit))) {
            self.shared.tell("user.limits.set", |_| limits.told().with("username", username));
        } else {
            let gone = Limits::default();
            self.shared.tell("user.limits.cleared", |_| gone.told().with("username", username));
        }
        let row = rules::user_limits(user, &limits);
        if limits.is_empty() {
            globals.user_limits.remove(user);
            self.shared.write_rows(&[gone(row)], &[]);
        } else {
            globals.user_limits.insert(user.clone(), limits);
            self.shared.write_rows(&[row], &[]);
        }
        drop(globals);
        self.user_throttle(user);
        Ok(())
    }

    /// Takes a row of the catalogue back, at start.
    pub(super) fn restore_global(&self, row: Row) {
        let Row::Rule(rule) = row else { return };
        let mut globals = self.globals.write();
        match *rule {
            Rule::Global(name, value) => {
                globals.parameters.insert(name, value);
            }
            Rule::UserLimits(user, limits) => {
                globals.user_limits.insert(user, limits);
            }
            Rule::Vhost(..) | Rule::Policy(..) | Rule::Parameter { .. } => {}
        }
    }
}
