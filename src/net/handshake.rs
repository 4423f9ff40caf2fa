//! The start of a connection: protocol header, login, tuning, vhost.

use std::sync::Arc;

use crate::auth::{CertificateNames, Origin, Principal, Refused};
use crate::broker::access::{Access, Denied};
use crate::broker::actor::act_as;
use crate::broker::peers::Identity;
use crate::broker::publish::Publisher;
use crate::broker::vhost_rules::Admitted;
use crate::net::consulting::Waiting;
use crate::net::server_properties::server_properties;
use crate::net::session::Session;
use crate::protocol::connection::{Connection, Step};
use crate::protocol::fault::Fault;
use crate::wire::PROTOCOL_HEADER;
use crate::wire::method::{MethodId, Other};

/// AMQP 0-9-1 as some clients of its time write it; RabbitMQ takes it too.
const OTHER_HEADER: [u8; 8] = *b"AMQP\x01\x01\x00\x09";

impl Session {
    /// The protocol header. Returns its length, or `None` while it is not whole or is wrong.
    pub(super) fn greet(&mut self, bytes: &[u8]) -> Option<usize> {
        let header = bytes.get(..PROTOCOL_HEADER.len())?;
        if header == PROTOCOL_HEADER || header == OTHER_HEADER {
            let cluster_name = self.common.broker.cluster_name();
            let properties = server_properties(cluster_name.as_deref());
            let mechanisms = self.common.broker.auth.mechanisms(&self.origin());
            self.outbox.send(0, &Connection::start(&properties, &mechanisms));
            return Some(header.len());
        }
        let what = match header {
            [0x16, 3, ..] => "TLS on a plain port",
            [b'A', b'M', b'Q', b'P', ..] => "another version of AMQP",
            [b'A'..=b'Z', b'A'..=b'Z', ..] => "HTTP",
            _ => "something that is not AMQP",
        };
        tracing::warn!(peer = %self.peer, "refused: {what} ({:?})", header.escape_ascii().to_string());
        // The answer to what we do not speak is what we do (AMQP 0-9-1, 4.2.2).
        self.outbox.lock().out().raw(&PROTOCOL_HEADER);
        self.ended = true;
        None
    }

    /// A method on channel 0.
    pub(super) fn connection_method(&mut self, id: MethodId, method: Other) -> Result<(), Fault> {
        match self.connection.method(method).map_err(|fault| fault.at(id))? {
            Step::Authenticate { mechanism, response } => self.log_in(mechanism, response)?,
            Step::Tuned => self.tuned(),
            Step::Open { vhost } => self.open(&vhost).map_err(|fault| fault.at(id))?,
            Step::Close => self.closed_by_client(),
            Step::Closed => self.ended = true,
            Step::NewSecret { secret } => self.update_secret(secret),
            Step::Nothing => {}
        }
        Ok(())
    }

    fn log_in(&mut self, mechanism: String, response: Vec<u8>) -> Result<(), Fault> {
        let (auth, origin) = (Arc::clone(&self.common.broker.auth), self.origin());
        if let Some(checked) = auth.log_in_at_once(&mechanism, &response, &origin) {
            return self.login_checked(checked);
        }
        self.ask_who(Waiting::Login, auth.log_in_slowly(mechanism, response, origin));
        Ok(())
    }

    /// It is known who the client is, or that it may not come in.
    pub(super) fn login_checked(
        &mut self,
        checked: Result<Principal, Refused>,
    ) -> Result<(), Fault> {
        let said = match &checked {
            Ok(principal) => (principal.name.as_str(), None),
            Err(refused) => (refused.user(), Some(refused.to_string())),
        };
        let (user, refused) = (said.0, said.1.as_deref());
        let (mechanism, tls) = (self.connection.mechanism(), self.tls.is_some());
        self.me.tell_of_login(&self.common.broker.shared, (user, mechanism), tls, refused);
        let refused = match checked {
            Ok(principal) => {
                act_as(Some(&principal.name));
                self.user = Some(principal.name.clone());
                self.principal = Some(Arc::new(principal));
                let tune = self.connection.authenticated();
                self.outbox.send(0, &tune);
                return Ok(());
            }
            Err(refused) => refused,
        };
        tracing::warn!(connection = %self.name(), "login refused: {refused}");
        match refused {
            Refused::UnknownMechanism(_) => Err(Fault::command_invalid(refused)),
            Refused::Malformed(_) => Err(Fault::syntax(refused)),
            Refused::InvalidCredentials(_)
            | Refused::NotLoopback(_)
            | Refused::NamelessCertificate
            | Refused::ByBackend { .. }
            | Refused::Failed(_) => {
                if self.connection.client().is_capable_of("authentication_failure_close") {
                    return Err(Fault::login_refused(self.connection.mechanism()));
                }
                self.refused = true;
                self.ended = true;
                Ok(())
            }
        }
    }

    fn origin(&self) -> Origin {
        let certificate = self.tls.as_ref().and_then(|facts| facts.certificate.as_ref());
        let certificate = certificate.map(|each| CertificateNames {
            distinguished_name: each.subject.clone(),
            common_name: each.common_name.clone(),
            alternative_name: each.alternative_name.clone(),
        });
        Origin { certificate, ..Origin::of("amqp091", self.peer.ip()) }
    }

    pub(super) fn open(&mut self, name: &str) -> Result<(), Fault> {
        let broker = &self.common.broker;
        let missing = || Fault::not_allowed(format_args!("vhost {name} not found"));
        let vhost = broker.vhost(name).ok_or_else(missing)?;
        let Some(principal) = self.principal.clone() else { return Ok(()) };
        let user = principal.name.clone();
        // What was asked about it already has been noted.
        let access = self.entering.take().map(|access| *access);
        let mut access = access
            .unwrap_or_else(|| Access::new(broker.auth.clone(), principal, vhost.name.clone()));
        match access.check_vhost() {
            Ok(()) => {}
            Err(Denied::Refused(fault)) => return Err(fault),
            Err(Denied::Unasked(question, ())) => {
                self.entering = Some(Box::new(access));
                self.ask_whether(question, Waiting::Open { vhost: name.into() });
                return Ok(());
            }
        }
        // The order is RabbitMQ's.
        if vhost.admit(self.id, &self.outbox, &user)? == Admitted::Ended {
            return Err(missing());
        }
        if let Err(refused) = broker.user_loads.connect(&user, &broker.user_limits(&user)) {
            vhost.connection_gone(self.id);
            return Err(refused);
        }
        self.me.opened(Identity {
            user: user.clone(),
            vhost: Arc::clone(&vhost),
            mechanism: self.connection.mechanism().to_owned(),
            client: self.connection.client().clone(),
            agreed: self.connection.agreed(),
            tls: self.tls.clone(),
        });
        broker.shared.churn.connections_created.count();
        let mut publisher = Publisher::new(vhost.clone(), broker.reply_tos.clone(), access);
        publisher.connection = Some(self.id);
        self.publisher = Some(publisher);
        self.user_throttle = Some(broker.user_throttle(&user));
        self.vhost = Some(vhost);
        let ok = self.connection.opened();
        self.outbox.send(0, &ok);
        self.set_heartbeat();
        self.set_recheck();
        tracing::info!(connection = %self.name(), %user, vhost = name, "connection opened");
        Ok(())
    }
}
