//! Everything else that a channel asks for.

use crate::broker::access::Denied;
use crate::broker::perform::Asker;
use crate::names::LogPosition;
use crate::net::consulting::Waiting;
use crate::net::session::Session;
use crate::protocol::channel::Action;
use crate::protocol::fault::Fault;
use crate::protocol::request::Request;
use crate::wire::method::{AnyMethod, MethodId, Other, Qos, basic};

impl Session {
    /// A method of a channel that is neither publish nor settlement.
    pub(super) fn channel_method(&mut self, number: u16, method: Other) -> Result<(), Fault> {
        let Some(channel) = self.channels.get_mut(&number) else { return Ok(()) };
        let action = channel.method(method)?;
        self.act(number, action)
    }

    /// basic.qos
    pub(super) fn qos(&mut self, number: u16, qos: Qos) -> Result<(), Fault> {
        let Some(channel) = self.channels.get_mut(&number) else { return Ok(()) };
        let action = channel.qos(qos)?;
        self.act(number, action)
    }

    fn act(&mut self, number: u16, action: Action) -> Result<(), Fault> {
        // Whatever was published or settled before is seen by what is asked now.
        self.flush();
        match action {
            Action::Nothing => {}
            Action::Answer(method) => self.outbox.send(number, &method),
            Action::LimitChannel(limit) => self.limit_channel(number, limit),
            Action::Ask { request, nowait } => self.ask(number, request, nowait)?,
            Action::Recover { answer } => self.recover(number, answer),
            Action::Commit => self.commit(number),
            Action::Rollback => self.rollback(number),
            Action::Close => {
                self.release_channel(number);
                self.outbox.lock().out().bare_method(number, MethodId::CHANNEL_CLOSE_OK);
                self.forget_channel(number);
            }
            Action::Closed => self.forget_channel(number),
        }
        if let Some(channel) = self.channels.get_mut(&number) {
            channel.note();
        }
        Ok(())
    }

    fn limit_channel(&mut self, number: u16, limit: u16) {
        if let Some(channel) = self.channels.get(&number) {
            channel.record.global_prefetch.set(limit.into());
        }
        let resumed = {
            let mut outbox = self.outbox.lock();
            let ok = basic::AMQPMethod::QosOk(basic::QosOk {});
            outbox.out().method(number, &AnyMethod::Basic(ok));
            outbox.limit_channel(number, limit)
        };
        self.resume(&resumed);
    }

    pub(super) fn ask(&mut self, number: u16, request: Request, nowait: bool) -> Result<(), Fault> {
        let (Some(channel), Some(vhost)) = (self.channels.get_mut(&number), &self.vhost) else {
            return Ok(());
        };
        let Some(publisher) = &mut self.publisher else { return Ok(()) };
        let mut asker = Asker {
            connection: self.id,
            vhost,
            access: &mut publisher.access,
            outbox: &self.outbox,
            reply_tos: &self.common.broker.reply_tos,
            number,
            channel,
            nowait,
            safe_at: LogPosition::default(),
        };
        let performed = asker.perform(request);
        let safe_at = asker.safe_at;
        let answer = match performed {
            Ok(answer) => answer,
            Err(Denied::Refused(fault)) => return Err(fault),
            Err(Denied::Unasked(question, request)) => {
                let id = request.method();
                self.ask_whether(
                    question,
                    Waiting::Request { channel: number, request, nowait, id },
                );
                return Ok(());
            }
        };
        if let Some(answer) = answer {
            self.answer_once_safe(number, answer, safe_at);
        }
        Ok(())
    }
}
