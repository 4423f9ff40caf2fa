//! A publish, from its frames to its queues.

use crate::broker::access::Denied;
use crate::broker::publish::{Addressing, Reached};
use crate::broker::reply_to::PSEUDO_QUEUE;
use crate::broker::transaction::Operation;
use crate::message::{Message, Parts};
use crate::net::consulting::Waiting;
use crate::net::session::Session;
use crate::protocol::channel::{Channel, Mode};
use crate::protocol::content::{Published, whole};
use crate::protocol::fault::{Code, Fault};
use crate::protocol::publish_rules::{MoreKeys, check, more_keys};
use crate::wire::content::{ContentHeader, Property, Replacement, replace};
use crate::wire::method::{MethodId, Publish};
use crate::wire::table::TableRef;

impl Session {
    /// basic.publish. If its content stands behind it, it is published at once; otherwise its
    /// frames are awaited. Returns how many bytes behind it are done with.
    #[inline]
    pub(super) fn publish(
        &mut self,
        number: u16,
        publish: &Publish<'_>,
        bytes: &[u8],
        behind: usize,
    ) -> Result<usize, Fault> {
        if publish.immediate {
            return Err(Fault::not_implemented("immediate=true").at(MethodId::PUBLISH));
        }
        match whole(publish, number, bytes, behind, self.limits)? {
            Some(whole) => {
                let published = self.published(number, whole.published);
                published.map(|()| whole.wire_len).map_err(|fault| fault.at(MethodId::PUBLISH))
            }
            None => {
                if let Some(channel) = self.channels.get_mut(&number) {
                    channel.content.begin(publish);
                }
                Ok(0)
            }
        }
    }

    /// The last frame of a publish has come.
    pub(super) fn publish_complete(&mut self, number: u16) -> Result<(), Fault> {
        let Some(channel) = self.channels.get_mut(&number) else { return Ok(()) };
        let mut content = std::mem::take(&mut channel.content);
        let done = self.published(number, content.take());
        // Its memory is used again for the channel's next publish in pieces.
        if let Some(channel) = self.channels.get_mut(&number) {
            channel.content = content;
        }
        done.map_err(|fault| fault.at(MethodId::PUBLISH))
    }

    #[inline]
    fn published(&mut self, number: u16, published: Published<'_>) -> Result<(), Fault> {
        self.published += 1;
        self.sizes.note(published.message.body_len(), &self.me.sizes);
        let Some(channel) = self.channels.get_mut(&number) else { return Ok(()) };
        let publisher = self.publisher.as_mut();
        check(&published.properties, || {
            publisher.map_or(Some(""), |each| each.access.may_claim())
        })?;
        let Published { mut message, properties, mandatory } = published;
        let mut more = MoreKeys::default();
        if let Some(headers) = properties.headers {
            more = more_keys(&properties)?;
            if more.blind {
                message = without_bcc(&message, headers);
            }
        }
        if properties.reply_to == Some(PSEUDO_QUEUE.as_bytes()) {
            message = with_reply_address(&message, channel)?;
        }
        let transactional = matches!(channel.mode, Mode::Transaction);
        let how =
            Addressing { headers: properties.headers, more_keys: &more.keys, channel: number };
        self.publish_or_keep(transactional, message, how, mandatory)
    }

    /// In a transaction it is kept until that is committed.
    #[inline]
    fn publish_or_keep(
        &mut self,
        transactional: bool,
        message: Message,
        how: Addressing<'_>,
        mandatory: bool,
    ) -> Result<(), Fault> {
        if transactional {
            return self.publish_later(how.channel, message, how, mandatory);
        }
        self.publish_now(how.channel, message, how, mandatory)
    }

    #[inline]
    fn publish_now(
        &mut self,
        number: u16,
        message: Message,
        how: Addressing<'_>,
        mandatory: bool,
    ) -> Result<(), Fault> {
        let Some(publisher) = &mut self.publisher else { return Ok(()) };
        let returned = mandatory.then(|| message.clone());
        let reached = match publisher.publish(message, how) {
            Ok(reached) => reached,
            Err(Denied::Refused(fault)) => return Err(fault),
            Err(Denied::Unasked(question, message)) => {
                let more_keys = owned(how.more_keys);
                let waiting = Waiting::Publish { channel: number, message, more_keys, mandatory };
                self.ask_whether(question, waiting);
                return Ok(());
            }
        };
        let exchange = publisher.exchange();
        let Some(channel) = self.channels.get_mut(&number) else { return Ok(()) };
        channel.published(exchange);
        if let Mode::Confirm(confirms) = &mut channel.mode
            && confirms.published(reached == Reached::NotAll)
        {
            self.confirming.push(number);
        }
        if reached == Reached::Nobody {
            self.unroutable(number, returned);
        }
        Ok(())
    }

    /// Publishes what had to wait until somebody said that it may be.
    pub(super) fn publish_again(
        &mut self,
        number: u16,
        message: Message,
        more_keys: &[Box<[u8]>],
        mandatory: bool,
    ) -> Result<(), Fault> {
        let Some(channel) = self.channels.get(&number) else { return Ok(()) };
        let transactional = matches!(channel.mode, Mode::Transaction);
        let keys: Vec<&[u8]> = more_keys.iter().map(AsRef::as_ref).collect();
        let header = message.header().to_vec();
        let headers = ContentHeader::parse(&header).ok().and_then(|each| each.properties.headers);
        let how = Addressing { headers, more_keys: &keys, channel: number };
        self.publish_or_keep(transactional, message, how, mandatory)
    }

    fn publish_later(
        &mut self,
        number: u16,
        message: Message,
        how: Addressing<'_>,
        mandatory: bool,
    ) -> Result<(), Fault> {
        let Some(publisher) = &mut self.publisher else { return Ok(()) };
        let more_keys = owned(how.more_keys);
        match publisher.check(&message, how) {
            Ok(()) => {}
            Err(Denied::Refused(fault)) => return Err(fault),
            Err(Denied::Unasked(question, ())) => {
                let waiting = Waiting::Publish { channel: number, message, more_keys, mandatory };
                self.ask_whether(question, waiting);
                return Ok(());
            }
        }
        let operation = Operation::Publish { message, more_keys, mandatory };
        self.transactions.entry(number).or_default().push(operation);
        if let Some(channel) = self.channels.get(&number) {
            channel.record.uncommitted.add(1);
        }
        Ok(())
    }

    /// Publishes what a transaction had put aside. An exchange that is gone meanwhile loses it,
    /// as a publish without mandatory would.
    pub(super) fn publish_committed(
        &mut self,
        number: u16,
        message: Message,
        more_keys: &[Box<[u8]>],
        mandatory: bool,
    ) {
        let keys: Vec<&[u8]> = more_keys.iter().map(AsRef::as_ref).collect();
        let header = message.header().to_vec();
        let headers = ContentHeader::parse(&header).ok().and_then(|each| each.properties.headers);
        let returned = mandatory.then(|| message.clone());
        let how = Addressing { headers, more_keys: &keys, channel: number };
        let Some(publisher) = &mut self.publisher else { return };
        let reached = publisher.publish(message, how).unwrap_or(Reached::Nobody);
        let exchange = publisher.exchange();
        if let Some(channel) = self.channels.get_mut(&number) {
            channel.published(exchange);
        }
        if reached == Reached::Nobody {
            self.unroutable(number, returned);
        }
    }

    /// A message that led to no queue: back to its publisher, if it was mandatory.
    fn unroutable(&self, number: u16, mandatory: Option<Message>) {
        if let Some(channel) = self.channels.get(&number) {
            channel.unroutable(mandatory.is_some());
        }
        let Some(message) = mandatory else { return };
        let mut outbox = self.outbox.lock();
        let max_payload = outbox.max_payload();
        let code = Code::NoRoute;
        outbox.out().return_(number, code.number(), code.name(), &message, max_payload);
    }
}

fn owned(keys: &[&[u8]]) -> Vec<Box<[u8]>> {
    keys.iter().map(|key| (*key).into()).collect()
}

/// Nobody who receives the message may see who else did (sender-selected distribution).
fn without_bcc(message: &Message, headers: TableRef<'_>) -> Message {
    let kept = headers.without("BCC");
    rewritten(message, Property::Headers, Replacement::Table(kept.as_ref()))
}

/// A request that wants its replies directly carries the address of the channel's reply consumer.
fn with_reply_address(message: &Message, channel: &Channel) -> Result<Message, Fault> {
    let consumer = channel.reply_consumer.as_ref().ok_or_else(Fault::no_reply_consumer)?;
    let address = Replacement::Text(consumer.address.as_bytes());
    Ok(rewritten(message, Property::ReplyTo, address))
}

fn rewritten(message: &Message, property: Property, with: Replacement<'_>) -> Message {
    Message::from_parts(Parts {
        exchange: message.exchange(),
        routing_key: message.routing_key(),
        header: &replace(message.header(), property, with),
        body: message.body(),
        persistent: message.is_persistent(),
        priority: message.priority(),
        expires: message.expires(),
        died: message.has_died(),
    })
}
