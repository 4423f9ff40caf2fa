//! What a channel asks of the broker, carried out: declares, bindings, consumers, gets.
//!
//! Each request is answered when this returns. What will wait for the log (durable declares) is
//! known by then and awaited by the session, which is why this is no part of the hot path.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::access::{Access, Denied};
use super::live_queue::{ConsumeRefused, LiveQueue};
use super::outbox::{NO_SOURCE, Outbox, Outlet};
use super::reply_to::{ADDRESS_PREFIX, PSEUDO_QUEUE, ReplyTos};
use super::vhost::Vhost;
use crate::names::{ConnectionId, ConsumerTag, LogPosition};
use crate::protocol::channel::{Channel, ReplyConsumer};
use crate::protocol::fault::Fault;
use crate::protocol::request::{Binding, Consume, DeclareQueue, Request};
use crate::queue::Undeletable;
use crate::queue::consumer_options::ConsumerOptions;
use crate::queue::consumers::Subscription;
use crate::queue::options::{Declaration, Declared};
use crate::wire::encode::deliver_head;
use crate::wire::method::{AnyMethod, basic, exchange, queue};
use crate::wire::table::Table;

/// Who asks.
pub struct Asker<'a> {
    /// The connection.
    pub connection: ConnectionId,
    /// Where it is.
    pub vhost: &'a Arc<Vhost>,
    /// What its user may do there.
    pub access: &'a mut Access,
    /// Where its answers and deliveries go.
    pub outbox: &'a Arc<Outbox>,
    /// Who takes replies.
    pub reply_tos: &'a ReplyTos,
    /// The channel's number.
    pub number: u16,
    /// The channel.
    pub channel: &'a mut Channel,
    /// The client does not want an answer.
    pub nowait: bool,
    /// What makes it safe that was asked for; the answer waits for that.
    pub safe_at: LogPosition,
}

/// A name that nobody else has: `amq.gen-`, `amq.ctag-` and 22 characters, as RabbitMQ's.
pub fn unique_name(prefix: &str) -> String {
    let random: [u8; 16] = rand::random();
    format!("{prefix}{}", URL_SAFE_NO_PAD.encode(random))
}

impl Asker<'_> {
    /// Carries a request out. `None`: the answer has gone out already, or is not wanted. If it has
    /// to be asked whether it may be, the request comes back.
    pub fn perform(&mut self, request: Request) -> Result<Option<AnyMethod>, Denied<Request>> {
        if let Err(denied) = self.permit(&request) {
            return Err(denied.with(request));
        }
        Ok(self.carry_out(request)?)
    }

    fn carry_out(&mut self, request: Request) -> Result<Option<AnyMethod>, Fault> {
        let nowait = self.nowait;
        let answer = match request {
            Request::DeclareExchange(declare) => {
                self.safe_at = self.vhost.change(|topology| topology.declare_exchange(&declare))?;
                exchange_ok(exchange::AMQPMethod::DeclareOk(exchange::DeclareOk {}))
            }
            Request::DeleteExchange { exchange, if_unused } => {
                self.safe_at =
                    self.vhost.change(|topology| topology.delete_exchange(&exchange, if_unused))?;
                exchange_ok(exchange::AMQPMethod::DeleteOk(exchange::DeleteOk {}))
            }
            Request::BindExchange(binding) => {
                self.safe_at = self.vhost.change(|topology| topology.bind_exchange(&binding))?;
                exchange_ok(exchange::AMQPMethod::BindOk(exchange::BindOk {}))
            }
            Request::UnbindExchange(binding) => {
                self.safe_at = self.vhost.change(|topology| topology.unbind_exchange(&binding))?;
                exchange_ok(exchange::AMQPMethod::UnbindOk(exchange::UnbindOk {}))
            }
            Request::BindQueue(binding) => {
                let binding = self.named(binding)?;
                let by = self.connection;
                self.safe_at = self.vhost.change(|topology| topology.bind_queue(&binding, by))?;
                queue_ok(queue::AMQPMethod::BindOk(queue::BindOk {}))
            }
            Request::UnbindQueue(binding) => {
                let binding = self.named(binding)?;
                let by = self.connection;
                self.safe_at = self.vhost.change(|topology| topology.unbind_queue(&binding, by))?;
                queue_ok(queue::AMQPMethod::UnbindOk(queue::UnbindOk {}))
            }
            Request::DeclareQueue(declare) => self.declare_queue(declare)?,
            Request::PurgeQueue { queue } => {
                let message_count = self.purge(queue)?;
                queue_ok(queue::AMQPMethod::PurgeOk(queue::PurgeOk { message_count }))
            }
            Request::DeleteQueue { queue, if_unused, if_empty } => {
                let message_count = self.delete_queue(queue, if_unused, if_empty)?;
                queue_ok(queue::AMQPMethod::DeleteOk(queue::DeleteOk { message_count }))
            }
            Request::Consume(consume) => return self.consume(consume).map(|()| None),
            Request::Cancel { consumer_tag } => {
                self.cancel(&consumer_tag);
                let consumer_tag = consumer_tag.as_str().into();
                AnyMethod::Basic(basic::AMQPMethod::CancelOk(basic::CancelOk { consumer_tag }))
            }
            Request::Get { queue, no_ack } => {
                if self.is_reply_address(&queue) {
                    return Err(Fault::get_from_reply_address(&queue, &self.vhost.name));
                }
                let queue = self.queue(queue)?;
                if queue.refuses_get() {
                    return Err(Fault::get_from_single_active(&queue.name, &self.vhost.name));
                }
                if queue.fetch(self.outbox, self.number, no_ack) {
                    return Ok(None);
                }
                self.outbox.lock().fetched_nothing(self.number, &queue);
                AnyMethod::Basic(basic::AMQPMethod::GetEmpty(basic::GetEmpty {}))
            }
        };
        Ok((!nowait).then_some(answer))
    }

    /// The name meant: an empty one is the last declared on this channel.
    pub(super) fn name(&self, name: String) -> Result<String, Fault> {
        if !name.is_empty() {
            return Ok(name);
        }
        self.channel.last_queue.clone().ok_or_else(Fault::no_previous_queue)
    }

    fn is_reply_address(&self, name: &str) -> bool {
        name.starts_with(ADDRESS_PREFIX) && self.reply_tos.exists(name)
    }

    fn queue(&self, name: String) -> Result<Arc<LiveQueue>, Fault> {
        self.vhost.queue_for(&self.name(name)?, self.connection)
    }

    /// A queue binding with its queue's name. If both queue and key are left out, the key is the
    /// queue's name too (AMQP 0-9-1, queue.bind).
    fn named(&self, binding: Binding) -> Result<Binding, Fault> {
        if self.is_reply_address(&binding.destination) {
            return Err(Fault::reply_address_bound());
        }
        let unnamed = binding.destination.is_empty() && binding.routing_key.is_empty();
        let destination = self.name(binding.destination)?;
        let routing_key = if unnamed { destination.clone() } else { binding.routing_key };
        Ok(Binding { destination, routing_key, ..binding })
    }

    fn declare_queue(&mut self, declare: DeclareQueue) -> Result<AnyMethod, Fault> {
        if declare.queue.starts_with(PSEUDO_QUEUE) {
            return self.declare_reply_to(&declare.queue);
        }
        let queue = if declare.passive {
            self.vhost.queue_for(&declare.queue, self.connection)?
        } else {
            let (queue, position) = self.vhost.declare_queue(self.declaration(declare))?;
            if queue.is_durable() {
                self.safe_at = position;
            }
            queue
        };
        self.channel.last_queue = Some(queue.name.to_string());
        let counts = queue.counts();
        Ok(declare_ok(queue.name.as_str(), counts.ready, counts.consumers))
    }

    fn declaration(&self, declare: DeclareQueue) -> Declaration {
        let server_named = declare.queue.is_empty();
        let name = if server_named { unique_name("amq.gen-") } else { declare.queue };
        let declared = Declared {
            durable: declare.durable,
            auto_delete: declare.auto_delete,
            owner: declare.exclusive.then_some(self.connection),
            server_named,
        };
        let kind = self.vhost.look(|topology| topology.properties().default_kind());
        let vhost = self.vhost.name.clone();
        Declaration::new(vhost, name.into(), declared, &declare.arguments, kind)
    }

    /// Asks whether somebody still takes replies at an address.
    fn declare_reply_to(&self, name: &str) -> Result<AnyMethod, Fault> {
        if name == PSEUDO_QUEUE || self.reply_tos.exists(name) {
            return Ok(declare_ok(name, 0, 1));
        }
        Err(Fault::no_queue(name, &self.vhost.name))
    }

    fn purge(&self, name: String) -> Result<u32, Fault> {
        if self.is_reply_address(&name) {
            return Ok(0);
        }
        self.queue(name).map(|queue| count(queue.purge()))
    }

    fn delete_queue(
        &mut self,
        name: String,
        if_unused: bool,
        if_empty: bool,
    ) -> Result<u32, Fault> {
        let name = self.name(name)?;
        if self.vhost.look(|topology| topology.queue(&name)).is_none() {
            // What is not there is deleted already.
            return Ok(0);
        }
        let queue = self.vhost.queue_for(&name, self.connection)?;
        let deleted = self.vhost.delete_queue(&queue, if_unused, if_empty);
        let (messages, position) = deleted.map_err(|why| match why {
            Undeletable::InUse => Fault::in_use("queue", &name, &self.vhost.name),
            Undeletable::NotEmpty => Fault::not_empty(&name, &self.vhost.name),
        })?;
        self.safe_at = position;
        Ok(count(messages))
    }

    fn consume(&mut self, consume: Consume) -> Result<(), Fault> {
        let tag = match consume.consumer_tag.as_str() {
            "" => unique_name("amq.ctag-"),
            tag => tag.to_owned(),
        };
        let replies = consume.queue == PSEUDO_QUEUE;
        if replies && self.channel.reply_consumer.is_some() {
            return Err(Fault::precondition("reply consumer already set"));
        }
        if self.is_reply_address(&consume.queue) {
            return Err(Fault::not_the_asker(&consume.queue, &self.vhost.name));
        }
        let taken = self.outbox.lock().has_consumer(self.number, &tag)
            || self.channel.reply_consumer.as_ref().is_some_and(|consumer| consumer.tag == tag);
        if taken {
            return Err(Fault::consumer_tag_in_use(&tag));
        }
        let consumer_tag = tag.as_str().into();
        let ok = AnyMethod::Basic(basic::AMQPMethod::ConsumeOk(basic::ConsumeOk { consumer_tag }));
        let ok = (!self.nowait).then_some(ok);
        if replies {
            return self.consume_replies(tag, consume.no_ack, ok.as_ref());
        }
        let queue = self.queue(consume.queue)?;
        let options = self.consumer_options(&queue, &consume.arguments)?;
        let subscription = Subscription {
            prefetch: (consume.prefetch > 0 && !consume.no_ack).then_some(consume.prefetch.into()),
            no_ack: consume.no_ack,
            exclusive: consume.exclusive,
            priority: options.priority,
            timeout: options
                .timeout
                .map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
        };
        let Some(source) = self.outbox.lock().add_source(self.number, &queue) else {
            return Ok(());
        };
        let outlet = self.outlet(tag, source, consume.no_ack, consume.arguments);
        queue.consume(subscription, outlet, ok.as_ref()).map_err(|refused| {
            self.outbox.lock().release_source(self.number, source);
            match refused {
                ConsumeRefused::Exclusive => {
                    Fault::exclusive_consumer(&queue.name, &self.vhost.name)
                }
                ConsumeRefused::QueueGone => Fault::no_queue(&queue.name, &self.vhost.name),
            }
        })
    }

    fn consumer_options(
        &self,
        queue: &LiveQueue,
        arguments: &Table,
    ) -> Result<ConsumerOptions, Fault> {
        let declared = self.vhost.look(|topology| {
            topology.declaration(queue.id).map(|each| (each.subject(), each.kind()))
        });
        let (subject, kind) =
            declared.ok_or_else(|| Fault::no_queue(&queue.name, &self.vhost.name))?;
        ConsumerOptions::parse(arguments, &subject, kind.unwrap_or_default())
            .map_err(Fault::precondition)
    }

    fn outlet(&self, tag: String, source: u32, no_ack: bool, arguments: Table) -> Outlet {
        Outlet {
            outbox: Arc::clone(self.outbox),
            channel: self.number,
            source,
            no_ack,
            head: deliver_head(&tag),
            tag: ConsumerTag::from(tag),
            arguments,
        }
    }

    fn consume_replies(
        &mut self,
        tag: String,
        no_ack: bool,
        ok: Option<&AnyMethod>,
    ) -> Result<(), Fault> {
        if !no_ack {
            return Err(Fault::precondition("reply consumer cannot acknowledge"));
        }
        let address = unique_name(&format!("{ADDRESS_PREFIX}g"));
        if let Some(ok) = ok {
            self.outbox.send(self.number, ok);
        }
        self.reply_tos
            .add(address.clone(), self.outlet(tag.clone(), NO_SOURCE, true, Table::default()));
        self.channel.reply_consumer = Some(ReplyConsumer { tag, address });
        Ok(())
    }

    fn cancel(&mut self, tag: &str) {
        let is_it = |consumer: &mut ReplyConsumer| consumer.tag == tag;
        if let Some(consumer) = self.channel.reply_consumer.take_if(is_it) {
            self.reply_tos.remove(&consumer.address);
            return;
        }
        let consumer = self.outbox.lock().remove_consumer(self.number, tag);
        if let Some(consumer) = consumer {
            consumer.queue.consumer_gone(consumer.consumer);
        }
    }
}

fn exchange_ok(method: exchange::AMQPMethod) -> AnyMethod {
    AnyMethod::Exchange(method)
}

fn queue_ok(method: queue::AMQPMethod) -> AnyMethod {
    AnyMethod::Queue(method)
}

fn declare_ok(name: &str, messages: usize, consumers: usize) -> AnyMethod {
    queue_ok(queue::AMQPMethod::DeclareOk(queue::DeclareOk {
        queue: name.into(),
        message_count: count(messages),
        consumer_count: count(consumers),
    }))
}

/// A count as the wire has it.
fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
