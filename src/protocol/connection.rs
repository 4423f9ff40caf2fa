//! A connection from the protocol header to its close: handshake, tuning, close.
//!
//! ```text
//! Header → Starting ─ start-ok ─► Authenticating ─► Tuning ─ tune-ok ─► Opening ─ open ─► Running
//!                                                                             └────────► Closing
//! ```

use super::fault::Fault;
use crate::wire::method::{AnyMethod, Other, connection, field_table};
use crate::wire::table::{Table, TableRef, Value};

/// The smallest frame_max that may be agreed on (AMQP 0-9-1: frame-min-size is 4096; RabbitMQ
/// wants 8192, its limit before tuning).
pub const MIN_FRAME_MAX: u32 = 8192;

/// What the broker offers in connection.tune.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The largest frame, head and end mark included; 0 is no limit.
    pub frame_max: u32,
    /// The highest channel number; 0 is no limit.
    pub channel_max: u16,
    /// Seconds between signs of life; 0 is none.
    pub heartbeat: u16,
}

/// What a client says about itself in connection.start-ok.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientProperties(Table);

impl ClientProperties {
    /// All of it.
    pub fn as_table(&self) -> TableRef<'_> {
        self.0.as_ref()
    }

    /// What the client calls this connection.
    pub fn connection_name(&self) -> Option<&str> {
        self.0.get("connection_name")?.as_text()
    }

    /// Whether the client has a capability, such as `consumer_cancel_notify`.
    pub fn is_capable_of(&self, capability: &str) -> bool {
        match self.0.get("capabilities") {
            Some(Value::Table(capabilities)) => {
                capabilities.get(capability) == Some(Value::Bool(true))
            }
            Some(_) | None => false,
        }
    }

    /// All of it.
    pub fn table(&self) -> &Table {
        &self.0
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Starting,
    Authenticating,
    Tuning,
    Opening,
    Running,
    Closing,
}

/// One connection's state.
#[derive(Clone, Debug)]
pub struct Connection {
    state: State,
    offer: Offer,
    agreed: Offer,
    client: ClientProperties,
    mechanism: String,
}

/// What a method on channel 0 means for whoever drives the connection.
#[derive(Debug)]
pub enum Step {
    /// Check who that is, then call [`Connection::authenticated`] or refuse.
    Authenticate {
        /// The SASL mechanism.
        mechanism: String,
        /// Its response.
        response: Vec<u8>,
    },
    /// The limits are agreed on.
    Tuned,
    /// Look for the vhost, then call [`Connection::opened`] or refuse.
    Open {
        /// Its name.
        vhost: String,
    },
    /// The client closes: answer close-ok and end.
    Close,
    /// The client has taken note of the broker's close: end.
    Closed,
    /// The client has a new secret: answer update-secret-ok, or refuse.
    NewSecret {
        /// The secret.
        secret: Vec<u8>,
    },
    /// Go on.
    Nothing,
}

impl Connection {
    /// A connection whose protocol header was right.
    pub fn new(offer: Offer) -> Self {
        Self {
            state: State::Starting,
            offer,
            agreed: Offer { frame_max: MIN_FRAME_MAX, channel_max: 0, heartbeat: 0 },
            client: ClientProperties::default(),
            mechanism: String::new(),
        }
    }

    /// The first thing the broker says.
    pub fn start(server_properties: &Table, mechanisms: &str) -> AnyMethod {
        AnyMethod::Connection(connection::AMQPMethod::Start(connection::Start {
            version_major: 0,
            version_minor: 9,
            server_properties: field_table(server_properties),
            mechanisms: mechanisms.into(),
            locales: "en_US".into(),
        }))
    }

    /// What both sides agreed on; before that, what holds until then.
    pub fn agreed(&self) -> Offer {
        self.agreed
    }

    /// What the client said about itself.
    pub fn client(&self) -> &ClientProperties {
        &self.client
    }

    /// The SASL mechanism that the client chose.
    pub fn mechanism(&self) -> &str {
        &self.mechanism
    }

    /// Whether channels may be used.
    #[inline]
    pub fn is_running(&self) -> bool {
        self.state == State::Running
    }

    /// Whether the broker has closed it and waits for the client to take note.
    pub fn is_closing(&self) -> bool {
        self.state == State::Closing
    }

    /// Whether the client has been heard out as far as its login.
    pub fn is_authenticated(&self) -> bool {
        matches!(self.state, State::Tuning | State::Opening | State::Running)
    }

    /// The broker closes it: everything but the client's close is discarded from now on.
    pub fn begin_close(&mut self) {
        self.state = State::Closing;
    }

    /// A method on channel 0.
    pub fn method(&mut self, Other { method, arguments }: Other) -> Result<Step, Fault> {
        use connection::AMQPMethod as M;
        let AnyMethod::Connection(method) = method else { return self.unexpected() };
        match (self.state, method) {
            (State::Closing, M::CloseOk(_)) => Ok(Step::Closed),
            (State::Closing, M::Close(_)) => Ok(Step::Close),
            (State::Closing, _) => Ok(Step::Nothing),
            (State::Running, M::Close(_)) => Ok(Step::Close),
            (State::Starting, M::StartOk(ok)) => {
                self.client = ClientProperties(arguments);
                self.state = State::Authenticating;
                self.mechanism = ok.mechanism.to_string();
                let response = ok.response.as_bytes().to_vec();
                Ok(Step::Authenticate { mechanism: self.mechanism.clone(), response })
            }
            (State::Tuning, M::TuneOk(ok)) => self.tune(&ok),
            (State::Opening, M::Open(open)) => {
                Ok(Step::Open { vhost: open.virtual_host.to_string() })
            }
            (State::Running, M::UpdateSecret(update)) => {
                Ok(Step::NewSecret { secret: update.new_secret.as_bytes().to_vec() })
            }
            _ => self.unexpected(),
        }
    }

    fn unexpected(&self) -> Result<Step, Fault> {
        let state = match self.state {
            State::Starting => "starting",
            State::Authenticating => "securing",
            State::Tuning => "tuning",
            State::Opening => "opening",
            State::Running => "running",
            State::Closing => return Ok(Step::Nothing),
        };
        Err(Fault::channel_error(format_args!("unexpected method in connection state {state}")))
    }

    /// The login was right. Returns connection.tune.
    pub fn authenticated(&mut self) -> AnyMethod {
        self.state = State::Tuning;
        AnyMethod::Connection(connection::AMQPMethod::Tune(connection::Tune {
            channel_max: self.offer.channel_max,
            frame_max: self.offer.frame_max,
            heartbeat: self.offer.heartbeat,
        }))
    }

    fn tune(&mut self, ok: &connection::TuneOk) -> Result<Step, Fault> {
        check_limit("frame_max", MIN_FRAME_MAX, self.offer.frame_max, ok.frame_max)?;
        check_limit("channel_max", 1, self.offer.channel_max.into(), ok.channel_max.into())?;
        self.agreed =
            Offer { frame_max: ok.frame_max, channel_max: ok.channel_max, heartbeat: ok.heartbeat };
        self.state = State::Opening;
        Ok(Step::Tuned)
    }

    /// The vhost is there and the user may use it. Returns connection.open-ok.
    pub fn opened(&mut self) -> AnyMethod {
        self.state = State::Running;
        AnyMethod::Connection(connection::AMQPMethod::OpenOk(connection::OpenOk {}))
    }
}

/// Whether the client's value may be agreed on: not below the minimum, not above what the broker
/// offered, and not "no limit" where the broker has one.
fn check_limit(what: &str, min: u32, offered: u32, value: u32) -> Result<(), Fault> {
    let outside = |how, which, limit| {
        Fault::not_allowed(format_args!(
            "negotiated {what} = {value} is {how} than the {which} allowed value ({limit})"
        ))
    };
    if value != 0 && value < min {
        return Err(outside("lower", "minimum", min));
    }
    if offered != 0 && (value == 0 || value > offered) {
        return Err(outside("higher", "maximum", offered));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: Offer = Offer { frame_max: 131_072, channel_max: 2047, heartbeat: 60 };

    fn other(method: connection::AMQPMethod) -> Other {
        Other { method: AnyMethod::Connection(method), arguments: Table::default() }
    }

    fn tune_ok(frame_max: u32, channel_max: u16) -> Other {
        let ok = connection::TuneOk { channel_max, frame_max, heartbeat: 7 };
        other(connection::AMQPMethod::TuneOk(ok))
    }

    fn start_ok() -> Other {
        let ok = connection::StartOk { mechanism: "PLAIN".into(), ..Default::default() };
        other(connection::AMQPMethod::StartOk(ok))
    }

    fn open() -> Other {
        let open = connection::Open { virtual_host: "/".into() };
        other(connection::AMQPMethod::Open(open))
    }

    fn close() -> Other {
        other(connection::AMQPMethod::Close(connection::Close::default()))
    }

    fn tuning() -> Connection {
        let mut connection = Connection::new(OFFER);
        assert!(matches!(connection.method(start_ok()), Ok(Step::Authenticate { .. })));
        connection.authenticated();
        connection
    }

    #[test]
    fn the_handshake_in_order() {
        let mut connection = tuning();
        assert!(matches!(connection.method(tune_ok(8192, 10)), Ok(Step::Tuned)));
        assert_eq!(connection.agreed(), Offer { frame_max: 8192, channel_max: 10, heartbeat: 7 });
        assert!(matches!(connection.method(open()), Ok(Step::Open { .. })));
        assert!(!connection.is_running());
        connection.opened();
        assert!(connection.is_running());
        assert!(matches!(connection.method(close()), Ok(Step::Close)));
    }

    #[test]
    fn each_state_takes_only_its_method() {
        let expected = |fault: Fault, state: &str| {
            assert_eq!(fault.explanation, format!("unexpected method in connection state {state}"));
        };
        let mut connection = Connection::new(OFFER);
        for method in [tune_ok(8192, 10), open(), close()] {
            expected(connection.method(method).expect_err("out of order"), "starting");
        }
        let mut connection = tuning();
        for method in [start_ok(), open(), close()] {
            expected(connection.method(method).expect_err("out of order"), "tuning");
        }
        connection.method(tune_ok(8192, 10)).expect("in order");
        for method in [start_ok(), tune_ok(8192, 10), close()] {
            expected(connection.method(method).expect_err("out of order"), "opening");
        }
        connection.opened();
        for method in [start_ok(), tune_ok(8192, 10), open()] {
            expected(connection.method(method).expect_err("out of order"), "running");
        }
    }

    #[test]
    fn limits_may_be_lowered_not_raised() {
        for (frame_max, channel_max, text) in [
            (0, 2047, "negotiated frame_max = 0 is higher than the maximum allowed value (131072)"),
            (
                131_073,
                1,
                "negotiated frame_max = 131073 is higher than the maximum allowed value (131072)",
            ),
            (8191, 1, "negotiated frame_max = 8191 is lower than the minimum allowed value (8192)"),
            (8192, 0, "negotiated channel_max = 0 is higher than the maximum allowed value (2047)"),
            (
                8192,
                2048,
                "negotiated channel_max = 2048 is higher than the maximum allowed value (2047)",
            ),
        ] {
            let fault = tuning().method(tune_ok(frame_max, channel_max)).expect_err("refused");
            assert_eq!(fault.explanation, text);
        }
    }

    #[test]
    fn a_closing_connection_hears_only_the_close() {
        let mut connection = tuning();
        connection.begin_close();
        assert!(matches!(connection.method(open()), Ok(Step::Nothing)));
        let ok = other(connection::AMQPMethod::CloseOk(connection::CloseOk {}));
        assert!(matches!(connection.method(ok), Ok(Step::Closed)));
    }
}
