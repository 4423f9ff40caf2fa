//! How many connections and channels each user has open, held against the user's limits.

use dashmap::DashMap;

use crate::names::UserName;
use crate::protocol::fault::Fault;
use crate::topology::limits::{Limits, MAX_CHANNELS, MAX_CONNECTIONS};

/// What one user has open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserLoad {
    /// Connections that have opened a vhost.
    pub connections: usize,
    /// Channels on all of them together.
    pub channels: usize,
}

/// What all users have open.
#[derive(Default)]
pub struct UserLoads(DashMap<UserName, UserLoad>);

impl UserLoads {
    /// A user's connection opens, if it may.
    pub fn connect(&self, user: &UserName, limits: &Limits) -> Result<(), Fault> {
        let mut load = self.0.entry(user.clone()).or_default();
        if let Some(limit) = limits.is_reached(MAX_CONNECTIONS, load.connections) {
            return Err(Fault::too_many_user_connections(user, limit));
        }
        load.connections += 1;
        Ok(())
    }

    /// A user's channel opens, if it may.
    pub fn open_channel(&self, user: &UserName, limits: &Limits) -> Result<(), Fault> {
        let mut load = self.0.entry(user.clone()).or_default();
        if let Some(limit) = limits.is_reached(MAX_CHANNELS, load.channels) {
            return Err(Fault::too_many_user_channels(user, limit));
        }
        load.channels += 1;
        Ok(())
    }

    /// Some of a user's channels have closed.
    pub fn close_channels(&self, user: &UserName, channels: usize) {
        self.less(user, UserLoad { connections: 0, channels });
    }

    /// A user's connection is gone, with the channels that it still had.
    pub fn disconnect(&self, user: &UserName, channels: usize) {
        self.less(user, UserLoad { connections: 1, channels });
    }

    fn less(&self, user: &UserName, gone: UserLoad) {
        if let Some(mut load) = self.0.get_mut(user) {
            load.connections -= gone.connections;
            load.channels -= gone.channels;
        }
        // Looked at again under the entry's lock: somebody may have come meanwhile.
        self.0.remove_if(user, |_, load| *load == UserLoad::default());
    }

    /// What a user has open.
    pub fn of(&self, user: &UserName) -> UserLoad {
        self.0.get(user).map(|load| *load).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::limits::LimitsOf;
    use serde_json::json;

    #[test]
    fn as_many_as_there_may_be() {
        let said = json!({"max-connections": 1, "max-channels": 2});
        let limits = Limits::read(LimitsOf::User, said.as_object().unwrap()).unwrap();
        let (loads, user) = (UserLoads::default(), UserName::from("u"));
        loads.connect(&user, &limits).expect("the first");
        let refused = loads.connect(&user, &limits).expect_err("one too many").to_string();
        assert_eq!(
            refused,
            "NOT_ALLOWED - connection refused for user 'u': user connection limit (1) is reached"
        );
        loads.open_channel(&user, &limits).expect("the first");
        loads.open_channel(&user, &limits).expect("the second");
        let refused = loads.open_channel(&user, &limits).expect_err("one too many").to_string();
        assert_eq!(
            refused,
            "NOT_ALLOWED - number of channels opened for user 'u' has reached the maximum allowed \
             user limit of 2"
        );
        loads.close_channels(&user, 1);
        loads.open_channel(&user, &limits).expect("one has gone");
        loads.connect(&"other".into(), &limits).expect("somebody else");
        loads.disconnect(&user, 2);
        assert_eq!(loads.of(&user), UserLoad::default());
        loads.connect(&user, &limits).expect("the first has gone");
    }
}
