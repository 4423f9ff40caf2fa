//! Every way to be wrong: scope, reply code and text. The only place with reply codes.
//!
//! Codes, scopes and texts are RabbitMQ's (clients match on them). A fault is named for its
//! situation; the method that raised it is added by whoever knows it.

use std::fmt;

use crate::wire::content::BadHeader;
use crate::wire::frame::BadFrame;
use crate::wire::method::{AnyMethod, BadMethod, MethodId, channel, connection};

/// What a fault closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The channel; the connection and its other channels live on.
    Channel,
    /// The connection.
    Connection,
}

/// The reply codes of AMQP 0-9-1 that Warren uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the specification's")]
pub enum Code {
    NoRoute = 312,
    ConnectionForced = 320,
    AccessRefused = 403,
    NotFound = 404,
    ResourceLocked = 405,
    PreconditionFailed = 406,
    FrameError = 501,
    SyntaxError = 502,
    CommandInvalid = 503,
    ChannelError = 504,
    UnexpectedFrame = 505,
    ResourceError = 506,
    NotAllowed = 530,
    NotImplemented = 540,
    InternalError = 541,
}

impl Code {
    /// The number on the wire.
    pub fn number(self) -> u16 {
        self as u16
    }

    /// The specification's name, as reply texts start with it.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoRoute => "NO_ROUTE",
            Self::ConnectionForced => "CONNECTION_FORCED",
            Self::AccessRefused => "ACCESS_REFUSED",
            Self::NotFound => "NOT_FOUND",
            Self::ResourceLocked => "RESOURCE_LOCKED",
            Self::PreconditionFailed => "PRECONDITION_FAILED",
            Self::FrameError => "FRAME_ERROR",
            Self::SyntaxError => "SYNTAX_ERROR",
            Self::CommandInvalid => "COMMAND_INVALID",
            Self::ChannelError => "CHANNEL_ERROR",
            Self::UnexpectedFrame => "UNEXPECTED_FRAME",
            Self::ResourceError => "RESOURCE_ERROR",
            Self::NotAllowed => "NOT_ALLOWED",
            Self::NotImplemented => "NOT_IMPLEMENTED",
            Self::InternalError => "INTERNAL_ERROR",
        }
    }
}

/// One mistake of a peer, or one misfortune of the broker's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What it closes.
    pub scope: Scope,
    /// The reply code.
    pub code: Code,
    /// What the reply text says behind the code's name.
    pub explanation: String,
    /// The method that raised it; zeros if none did.
    pub method: MethodId,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} - {}", self.code.name(), self.explanation)
    }
}

impl std::error::Error for Fault {}

/// `'name' in vhost '/'`, as RabbitMQ's texts have it.
fn within(name: impl fmt::Display, vhost: impl fmt::Display) -> String {
    format!("'{name}' in vhost '{vhost}'")
}

fn channel_fault(code: Code, explanation: impl Into<String>) -> Fault {
    Fault {
        scope: Scope::Channel,
        code,
        explanation: explanation.into(),
        method: MethodId::default(),
    }
}

fn connection_fault(code: Code, explanation: impl Into<String>) -> Fault {
    Fault { scope: Scope::Connection, ..channel_fault(code, explanation) }
}

impl Fault {
    /// The same fault, raised by `method`, unless it is known already who raised it.
    #[must_use]
    pub fn at(self, method: MethodId) -> Self {
        if self.method == MethodId::default() { Self { method, ..self } } else { self }
    }

    /// The same fault with more words.
    #[must_use]
    pub fn adding(mut self, more: impl fmt::Display) -> Self {
        self.explanation += &more.to_string();
        self
    }

    /// The reply text. What is longer than a short string is cut and ends in `...`, as
    /// RabbitMQ's texts do.
    pub fn text(&self) -> String {
        let mut text = self.to_string();
        if text.len() > 255 {
            text.truncate(text.floor_char_boundary(252));
            text.push_str("...");
        }
        text
    }

    /// The method that closes what the fault closes.
    pub fn close_method(&self) -> AnyMethod {
        let (reply_code, reply_text) = (self.code.number(), self.text().into());
        let (class_id, method_id) = (self.method.class, self.method.method);
        match self.scope {
            Scope::Channel => AnyMethod::Channel(channel::AMQPMethod::Close(channel::Close {
                reply_code,
                reply_text,
                class_id,
                method_id,
            })),
            Scope::Connection => {
                AnyMethod::Connection(connection::AMQPMethod::Close(connection::Close {
                    reply_code,
                    reply_text,
                    class_id,
                    method_id,
                }))
            }
        }
    }
}

/// Faults of names: what is missing, reserved, or somebody else's.
impl Fault {
    /// There is no such queue.
    pub fn no_queue(name: impl fmt::Display, vhost: impl fmt::Display) -> Self {
        channel_fault(Code::NotFound, format!("no queue {}", within(name, vhost)))
    }

    /// There is no such exchange.
    pub fn no_exchange(name: impl fmt::Display, vhost: impl fmt::Display) -> Self {
        channel_fault(Code::NotFound, format!("no exchange {}", within(name, vhost)))
    }

    /// An empty queue name means the last one declared, and none was.
    pub fn no_previous_queue() -> Self {
        channel_fault(Code::NotFound, "no previously declared queue")
    }

    /// A name with the broker's own prefix.
    pub fn reserved_name(what: &str, name: impl fmt::Display) -> Self {
        channel_fault(
            Code::AccessRefused,
            format!("{what} name '{name}' contains reserved prefix 'amq.*'"),
        )
    }

    /// The default exchange cannot be declared, deleted or bound.
    pub fn default_exchange() -> Self {
        channel_fault(Code::AccessRefused, "operation not permitted on the default exchange")
    }

    /// A predeclared exchange cannot be deleted.
    pub fn reserved_exchange(name: impl fmt::Display, vhost: impl fmt::Display) -> Self {
        channel_fault(
            Code::AccessRefused,
            format!("deletion of system exchange {} not allowed", within(name, vhost)),
        )
    }

    /// An exclusive queue of another connection.
    pub fn locked_queue(name: impl fmt::Display, vhost: impl fmt::Display) -> Self {
        channel_fault(
            Code::ResourceLocked,
            format!(
                "cannot obtain exclusive access to locked queue {}. It could be originally \
                 declared on another connection or the exclusive property value does not match \
                 that of the original declaration.",
                within(name, vhost)
            ),
        )
    }

    /// An exclusive consumer, or one that wants to be.
    pub fn exclusive_consumer(name: impl fmt::Display, vhost: impl fmt::Display) -> Self {
        channel_fault(
            Code::AccessRefused,
            format!("queue {} in exclusive use", within(name, vhost)),
        )
    }

    /// basic.get from a quorum queue that gives to a single active consumer only.
    pub fn get_from_single_active(name: impl fmt::Display, vhost: impl fmt::Display) -> Self {
        channel_fault(
            Code::ResourceLocked,
            format!(
                "cannot obtain access to locked queue {}. basic.get operations are not supported \
                 by <<\"quorum\">> queues with single active consumer",
                within(name, vhost)
            ),
        )
    }

    /// A consumer kept a message for longer than it may, and its client does not understand that
    /// the consumer alone is cancelled.
    pub fn consumer_timeout(channel: u16, timeout: u64) -> Self {
        Self::precondition(format_args!(
            "delivery acknowledgement on channel {channel} timed out. Timeout value used: \
             {timeout} ms. This timeout value can be configured, see consumers doc guide to learn \
             more"
        ))
    }

    /// A reply address has no bindings.
    pub fn reply_address_bound() -> Self {
        let text = "cannot bind or unbind to a volatile (direct reply-to) queue";
        channel_fault(Code::AccessRefused, text)
    }

    /// The user may not do that with this exchange or queue. `right` is "configure", "write" or
    /// "read", `kind` "exchange" or "queue".
    pub fn no_access(
        right: impl fmt::Display,
        kind: &str,
        name: impl fmt::Display,
        vhost: impl fmt::Display,
        user: impl fmt::Display,
    ) -> Self {
        let what = within(name, vhost);
        let text = format!("{right} access to {kind} {what} refused for user '{user}'");
        channel_fault(Code::AccessRefused, text)
    }

    /// The user may not use this routing key with this topic exchange.
    pub fn no_topic_access(
        right: impl fmt::Display,
        key: &str,
        exchange: impl fmt::Display,
        vhost: impl fmt::Display,
        user: impl fmt::Display,
    ) -> Self {
        let topic = within(exchange, vhost);
        let text = format!(
            "{right} access to topic '{key}' in exchange topic {topic} refused for user '{user}'"
        );
        channel_fault(Code::AccessRefused, text)
    }

    /// Publishing to an exchange that only takes from other exchanges.
    pub fn internal_exchange(name: impl fmt::Display, vhost: impl fmt::Display) -> Self {
        channel_fault(
            Code::AccessRefused,
            format!("cannot publish to internal exchange {}", within(name, vhost)),
        )
    }
}

/// Faults of conditions that do not hold.
impl Fault {
    /// A condition, in words that its module knows (arguments that are invalid or differ).
    pub fn precondition(explanation: impl fmt::Display) -> Self {
        channel_fault(Code::PreconditionFailed, explanation.to_string())
    }

    /// A vhost that has as many queues as it may have.
    pub fn too_many_queues(queue: impl fmt::Display, vhost: impl fmt::Display, limit: u64) -> Self {
        Self::precondition(format_args!(
            "cannot declare queue '{queue}': queue limit in vhost '{vhost}' ({limit}) is reached"
        ))
    }

    /// if-unused on a queue or exchange that is used.
    pub fn in_use(what: &str, name: impl fmt::Display, vhost: impl fmt::Display) -> Self {
        Self::precondition(format_args!("{what} {} in use", within(name, vhost)))
    }

    /// if-empty on a queue with messages.
    pub fn not_empty(name: impl fmt::Display, vhost: impl fmt::Display) -> Self {
        Self::precondition(format_args!("queue {} not empty", within(name, vhost)))
    }

    /// Settling what is not outstanding.
    pub fn unknown_delivery_tag(tag: u64) -> Self {
        Self::precondition(format_args!("unknown delivery tag {tag}"))
    }

    /// tx.commit or tx.rollback without tx.select.
    pub fn not_transactional() -> Self {
        Self::precondition("channel is not transactional")
    }

    /// tx.select on a channel with confirms.
    pub fn tx_on_confirm_channel() -> Self {
        Self::precondition("cannot switch from confirm to tx mode")
    }

    /// confirm.select on a transactional channel.
    pub fn confirm_on_tx_channel() -> Self {
        Self::precondition("cannot switch from tx to confirm mode")
    }

    /// A body beyond the limit; said before it is read.
    pub fn message_too_large(size: u64, limit: u64) -> Self {
        Self::precondition(format_args!(
            "message size {size} is larger than configured max size {limit}"
        ))
    }

    /// An expiration that is no number of milliseconds; `why` is RabbitMQ's term for it.
    pub fn invalid_expiration(expiration: &str, why: impl fmt::Display) -> Self {
        Self::precondition(format_args!("invalid expiration '{expiration}': {why}"))
    }

    /// A CC or BCC header that is no array.
    pub fn invalid_routing_header(header: &str, found: &str) -> Self {
        let why = format_args!("{{unacceptable_type_in_header,\"{header}\",{found}}}");
        Self::precondition(format_args!("invalid message: {why}"))
    }

    /// Consuming from somebody else's reply address.
    pub fn not_the_asker(address: &str, vhost: impl fmt::Display) -> Self {
        let whose = within(address, vhost);
        Self::precondition(format_args!("only creator channel may consume from queue {whose}"))
    }

    /// A request with a direct reply-to address, from a channel that takes no replies.
    pub fn no_reply_consumer() -> Self {
        Self::precondition("fast reply consumer does not exist")
    }

    /// A user-id property that is not the user who publishes.
    pub fn wrong_user_id(claimed: impl fmt::Display, user: impl fmt::Display) -> Self {
        Self::precondition(format_args!(
            "user_id property set to '{claimed}' but authenticated user was '{user}'"
        ))
    }
}

/// Faults of a whole connection.
impl Fault {
    /// Bytes that are no frame.
    pub fn bad_frame(bad: BadFrame) -> Self {
        connection_fault(Code::FrameError, bad.to_string())
    }

    /// A body longer than its header said.
    pub fn body_too_long() -> Self {
        connection_fault(Code::FrameError, "content body frame exceeds remaining content size")
    }

    /// A body that no setting allows.
    pub fn body_beyond_all_limits(size: u64, limit: u64) -> Self {
        let text = format!("content body size {size} exceeds maximum allowed size {limit}");
        connection_fault(Code::FrameError, text)
    }

    /// A method frame that cannot be read.
    pub fn bad_method(bad: BadMethod) -> Self {
        match bad {
            BadMethod::Unknown(id) => {
                Self { method: id, ..connection_fault(Code::NotImplemented, bad.to_string()) }
            }
            BadMethod::Malformed(id) => {
                Self { method: id, ..connection_fault(Code::SyntaxError, bad.to_string()) }
            }
            BadMethod::NotText => connection_fault(Code::FrameError, bad.to_string()),
            BadMethod::NoId => connection_fault(Code::FrameError, bad.to_string()),
        }
    }

    /// A content header that cannot be read.
    pub fn bad_header(bad: BadHeader) -> Self {
        let code = match bad {
            BadHeader::NoSize => Code::FrameError,
            BadHeader::Truncated
            | BadHeader::TrailingBytes
            | BadHeader::MoreFlags
            | BadHeader::Headers(_) => Code::SyntaxError,
        };
        connection_fault(code, bad.to_string())
    }

    /// A login response that cannot be read.
    pub fn syntax(what: impl fmt::Display) -> Self {
        connection_fault(Code::SyntaxError, what.to_string())
    }

    /// A method that only the other side sends, or that does not fit the state.
    pub fn unexpected_method() -> Self {
        connection_fault(Code::CommandInvalid, "unimplemented method")
    }

    /// A command that is not valid now, in the words of whoever knows why.
    pub fn command_invalid(why: impl fmt::Display) -> Self {
        connection_fault(Code::CommandInvalid, why.to_string())
    }

    /// A frame on a channel that is not open, or channel.open on one that is.
    pub fn channel_error(why: impl fmt::Display) -> Self {
        connection_fault(Code::ChannelError, why.to_string())
    }

    /// Content out of order.
    pub fn unexpected_frame(why: impl fmt::Display) -> Self {
        connection_fault(Code::UnexpectedFrame, why.to_string())
    }

    /// A frame that does not belong on its channel, or not yet.
    pub fn frame_out_of_place(kind: u8, channel: u16) -> Self {
        Self::unexpected_frame(format_args!("frame of type {kind} on channel {channel}"))
    }

    /// A heartbeat that carries something.
    pub fn heartbeat_with_payload() -> Self {
        connection_fault(Code::FrameError, "a heartbeat has no payload")
    }

    /// Something that the specification has and no broker does.
    pub fn not_implemented(what: impl fmt::Display) -> Self {
        connection_fault(Code::NotImplemented, what.to_string())
    }

    /// basic.get from a reply address.
    pub fn get_from_reply_address(address: &str, vhost: impl fmt::Display) -> Self {
        let whose = within(address, vhost);
        Self::not_implemented(format_args!("basic.get not supported by volatile queue {whose}"))
    }

    /// Something that this peer may not do: vhost, negotiation, limits, a tag used twice.
    pub fn not_allowed(why: impl fmt::Display) -> Self {
        connection_fault(Code::NotAllowed, why.to_string())
    }

    /// The user has no permissions in the vhost.
    pub fn no_vhost_access(vhost: impl fmt::Display, user: impl fmt::Display) -> Self {
        Self::not_allowed(format_args!("access to vhost '{vhost}' refused for user '{user}'"))
    }

    /// A vhost that has as many connections as it may have.
    pub fn too_many_connections(
        vhost: impl fmt::Display,
        user: impl fmt::Display,
        limit: u64,
    ) -> Self {
        Self::not_allowed(format_args!(
            "access to vhost '{vhost}' refused for user '{user}': connection limit ({limit}) is \
             reached"
        ))
    }

    /// A user who has as many connections as they may have.
    pub fn too_many_user_connections(user: impl fmt::Display, limit: u64) -> Self {
        Self::not_allowed(format_args!(
            "connection refused for user '{user}': user connection limit ({limit}) is reached"
        ))
    }

    /// A user who has as many channels as they may have.
    pub fn too_many_user_channels(user: impl fmt::Display, limit: u64) -> Self {
        Self::not_allowed(format_args!(
            "number of channels opened for user '{user}' has reached the maximum allowed user \
             limit of {limit}"
        ))
    }

    /// A consumer tag that the channel has already.
    pub fn consumer_tag_in_use(tag: impl fmt::Display) -> Self {
        Self::not_allowed(format_args!("attempt to reuse consumer tag '{tag}'"))
    }

    /// Wrong credentials. Never says which part was wrong.
    pub fn login_refused(mechanism: impl fmt::Display) -> Self {
        connection_fault(
            Code::AccessRefused,
            format!(
                "Login was refused using authentication mechanism {mechanism}. For details see \
                 the broker logfile."
            ),
        )
    }

    /// The vhost was deleted.
    pub fn vhost_down(vhost: impl fmt::Display) -> Self {
        Self::forced(format_args!("vhost '{vhost}' is down"))
    }

    /// The broker ends the connection.
    pub fn forced(why: impl fmt::Display) -> Self {
        connection_fault(Code::ConnectionForced, why.to_string())
    }

    /// A fault of the broker's.
    pub fn internal(what: impl fmt::Display) -> Self {
        connection_fault(Code::InternalError, what.to_string())
    }
}
