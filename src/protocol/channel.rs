//! One channel: open, flow, close; the modes; and what each method asks for.

use super::confirms::Confirms;
use super::content::Content;
use super::fault::Fault;
use super::request::{Binding, Consume, DeclareExchange, DeclareQueue, Request};
use crate::wire::method::{
    AnyMethod, Other, Qos, access, basic, channel, confirm, exchange, queue, tx,
};
use crate::wire::table::Table;

/// How publishes and settlements of a channel are answered.
#[derive(Debug, Default)]
pub enum Mode {
    /// Not at all.
    #[default]
    Plain,
    /// Each publish by basic.ack or basic.nack (confirm.select).
    Confirm(Confirms),
    /// Together, by tx.commit-ok (tx.select).
    Transaction,
}

/// A channel that is open, or that the broker has closed and the client not yet.
#[derive(Debug, Default)]
pub struct Channel {
    /// A publish of which not everything has come.
    pub content: Content,
    /// How it is answered.
    pub mode: Mode,
    /// What basic.qos said for consumers to come; 0 is no limit.
    prefetch: u16,
    /// The queue that an empty name means.
    pub last_queue: Option<String>,
    /// Who takes replies on this channel (direct reply-to); one at most.
    pub reply_consumer: Option<ReplyConsumer>,
    closing: bool,
}

/// A consumer of direct replies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplyConsumer {
    /// What the client calls it.
    pub tag: String,
    /// The address that the broker puts into requests.
    pub address: String,
}

/// What a method means for whoever drives the channel.
#[derive(Debug)]
pub enum Action {
    /// Nothing.
    Nothing,
    /// Send this.
    Answer(Box<AnyMethod>),
    /// Limit what the whole channel may have unacked (0: no limit), then answer qos-ok.
    LimitChannel(u16),
    /// Ask the broker, and answer unless the client does not wait.
    Ask {
        /// What.
        request: Request,
        /// The client does not want an answer.
        nowait: bool,
    },
    /// Requeue everything unacked, then answer recover-ok if the client waits for it.
    Recover {
        /// Whether the client waits.
        answer: bool,
    },
    /// Carry out the transaction, then answer commit-ok.
    Commit,
    /// Drop the transaction, then answer rollback-ok.
    Rollback,
    /// Release what the channel holds, answer close-ok and forget it.
    Close,
    /// The client has taken note that the channel is closed; its number is free.
    Closed,
}

fn answer(method: AnyMethod) -> Action {
    Action::Answer(Box::new(method))
}

fn ask(request: Request, nowait: bool) -> Action {
    Action::Ask { request, nowait }
}

impl Channel {
    /// The broker closes it: everything is discarded until the client has taken note.
    pub fn begin_close(&mut self) {
        *self = Self { closing: true, ..Self::default() };
    }

    /// What basic.qos said for consumers to come; 0 is no limit.
    pub fn prefetch(&self) -> u16 {
        self.prefetch
    }

    /// Whether the broker has closed it and waits for the client to take note.
    pub fn is_closing(&self) -> bool {
        self.closing
    }

    /// What a method (other than publish, ack, nack, reject) asks for.
    pub fn method(&mut self, Other { method, arguments }: Other) -> Result<Action, Fault> {
        match method {
            AnyMethod::Channel(method) => self.channel_method(&method),
            AnyMethod::Exchange(method) => exchange_method(method, arguments),
            AnyMethod::Queue(method) => queue_method(method, arguments),
            AnyMethod::Basic(method) => self.basic_method(method, arguments),
            AnyMethod::Confirm(confirm::AMQPMethod::Select(select)) => self.select_confirm(&select),
            AnyMethod::Tx(method) => self.tx_method(&method),
            AnyMethod::Access(access::AMQPMethod::Request(_)) => {
                Ok(answer(AnyMethod::Access(access::AMQPMethod::RequestOk(access::RequestOk {}))))
            }
            AnyMethod::Connection(_)
            | AnyMethod::Confirm(confirm::AMQPMethod::SelectOk(_))
            | AnyMethod::Access(access::AMQPMethod::RequestOk(_)) => {
                Err(Fault::unexpected_method())
            }
        }
    }

    /// basic.qos
    pub fn qos(&mut self, qos: Qos) -> Result<Action, Fault> {
        if qos.prefetch_size != 0 {
            let what = format_args!("prefetch_size!=0 ({})", qos.prefetch_size);
            return Err(Fault::not_implemented(what));
        }
        if qos.global {
            return Ok(Action::LimitChannel(qos.prefetch_count));
        }
        self.prefetch = qos.prefetch_count;
        Ok(answer(AnyMethod::Basic(basic::AMQPMethod::QosOk(basic::QosOk {}))))
    }

    fn channel_method(&self, method: &channel::AMQPMethod) -> Result<Action, Fault> {
        use channel::AMQPMethod as M;
        match method {
            M::Open(_) => Err(Fault::channel_error("second 'channel.open' seen")),
            M::Flow(flow) if flow.active => {
                let ok = M::FlowOk(channel::FlowOk { active: true });
                Ok(answer(AnyMethod::Channel(ok)))
            }
            M::Flow(_) => Err(Fault::not_implemented("active=false")),
            M::Close(_) => Ok(Action::Close),
            M::CloseOk(_) if self.closing => Ok(Action::Closed),
            M::CloseOk(_) | M::FlowOk(_) | M::OpenOk(_) => Err(Fault::unexpected_method()),
        }
    }

    fn basic_method(
        &mut self,
        method: basic::AMQPMethod,
        arguments: Table,
    ) -> Result<Action, Fault> {
        use basic::AMQPMethod as M;
        Ok(match method {
            M::Consume(consume) => {
                let request = Request::Consume(Consume {
                    queue: consume.queue.to_string(),
                    consumer_tag: consume.consumer_tag.to_string(),
                    no_ack: consume.no_ack,
                    exclusive: consume.exclusive,
                    arguments,
                    prefetch: self.prefetch,
                });
                ask(request, consume.nowait)
            }
            M::Cancel(cancel) => {
                let consumer_tag = cancel.consumer_tag.to_string();
                ask(Request::Cancel { consumer_tag }, cancel.nowait)
            }
            M::Get(get) => {
                let request = Request::Get { queue: get.queue.to_string(), no_ack: get.no_ack };
                ask(request, false)
            }
            M::Recover(recover) if recover.requeue => Action::Recover { answer: true },
            M::RecoverAsync(recover) if recover.requeue => Action::Recover { answer: false },
            M::Recover(_) | M::RecoverAsync(_) => {
                return Err(Fault::not_implemented("requeue=false"));
            }
            // The client has taken note that the broker cancelled its consumer.
            M::CancelOk(_) => Action::Nothing,
            M::Publish(_)
            | M::Ack(_)
            | M::Nack(_)
            | M::Reject(_)
            | M::Qos(_)
            | M::QosOk(_)
            | M::ConsumeOk(_)
            | M::Return(_)
            | M::Deliver(_)
            | M::GetOk(_)
            | M::GetEmpty(_)
            | M::RecoverOk(_) => return Err(Fault::unexpected_method()),
        })
    }

    fn select_confirm(&mut self, select: &confirm::Select) -> Result<Action, Fault> {
        match self.mode {
            Mode::Transaction => return Err(Fault::confirm_on_tx_channel()),
            Mode::Confirm(_) => {}
            Mode::Plain => self.mode = Mode::Confirm(Confirms::default()),
        }
        if select.nowait {
            return Ok(Action::Nothing);
        }
        let ok = confirm::AMQPMethod::SelectOk(confirm::SelectOk {});
        Ok(answer(AnyMethod::Confirm(ok)))
    }

    fn tx_method(&mut self, method: &tx::AMQPMethod) -> Result<Action, Fault> {
        use tx::AMQPMethod as M;
        match (method, &self.mode) {
            (M::Select(_), Mode::Confirm(_)) => Err(Fault::tx_on_confirm_channel()),
            (M::Select(_), mode) => {
                if matches!(mode, Mode::Plain) {
                    self.mode = Mode::Transaction;
                }
                Ok(answer(AnyMethod::Tx(M::SelectOk(tx::SelectOk {}))))
            }
            (M::Commit(_), Mode::Transaction) => Ok(Action::Commit),
            (M::Rollback(_), Mode::Transaction) => Ok(Action::Rollback),
            (M::Commit(_) | M::Rollback(_), Mode::Plain | Mode::Confirm(_)) => {
                Err(Fault::not_transactional())
            }
            (M::SelectOk(_) | M::CommitOk(_) | M::RollbackOk(_), _) => {
                Err(Fault::unexpected_method())
            }
        }
    }
}

fn exchange_method(method: exchange::AMQPMethod, arguments: Table) -> Result<Action, Fault> {
    use exchange::AMQPMethod as M;
    Ok(match method {
        M::Declare(declare) => {
            let request = Request::DeclareExchange(DeclareExchange {
                exchange: declare.exchange.to_string(),
                kind: declare.kind.to_string(),
                passive: declare.passive,
                durable: declare.durable,
                auto_delete: declare.auto_delete,
                internal: declare.internal,
                arguments,
            });
            ask(request, declare.nowait)
        }
        M::Delete(delete) => {
            let exchange = delete.exchange.to_string();
            ask(Request::DeleteExchange { exchange, if_unused: delete.if_unused }, delete.nowait)
        }
        M::Bind(bind) => {
            let request = Request::BindExchange(Binding {
                source: bind.source.to_string(),
                destination: bind.destination.to_string(),
                routing_key: bind.routing_key.to_string(),
                arguments,
            });
            ask(request, bind.nowait)
        }
        M::Unbind(unbind) => {
            let request = Request::UnbindExchange(Binding {
                source: unbind.source.to_string(),
                destination: unbind.destination.to_string(),
                routing_key: unbind.routing_key.to_string(),
                arguments,
            });
            ask(request, unbind.nowait)
        }
        M::DeclareOk(_) | M::DeleteOk(_) | M::BindOk(_) | M::UnbindOk(_) => {
            return Err(Fault::unexpected_method());
        }
    })
}

fn queue_method(method: queue::AMQPMethod, arguments: Table) -> Result<Action, Fault> {
    use queue::AMQPMethod as M;
    Ok(match method {
        M::Declare(declare) => {
            let request = Request::DeclareQueue(DeclareQueue {
                queue: declare.queue.to_string(),
                passive: declare.passive,
                durable: declare.durable,
                exclusive: declare.exclusive,
                auto_delete: declare.auto_delete,
                arguments,
            });
            ask(request, declare.nowait)
        }
        M::Bind(bind) => {
            let request = Request::BindQueue(Binding {
                source: bind.exchange.to_string(),
                destination: bind.queue.to_string(),
                routing_key: bind.routing_key.to_string(),
                arguments,
            });
            ask(request, bind.nowait)
        }
        M::Unbind(unbind) => {
            let request = Request::UnbindQueue(Binding {
                source: unbind.exchange.to_string(),
                destination: unbind.queue.to_string(),
                routing_key: unbind.routing_key.to_string(),
                arguments,
            });
            ask(request, false)
        }
        M::Purge(purge) => {
            ask(Request::PurgeQueue { queue: purge.queue.to_string() }, purge.nowait)
        }
        M::Delete(delete) => {
            let queue = delete.queue.to_string();
            let (if_unused, if_empty) = (delete.if_unused, delete.if_empty);
            ask(Request::DeleteQueue { queue, if_unused, if_empty }, delete.nowait)
        }
        M::DeclareOk(_) | M::BindOk(_) | M::UnbindOk(_) | M::PurgeOk(_) | M::DeleteOk(_) => {
            return Err(Fault::unexpected_method());
        }
    })
}
