//! Who takes a queue's messages: fair turns among those with credit, higher priorities first.

use std::collections::VecDeque;

/// A consumer of one queue. The slot may be used again by a later consumer, the key may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConsumerKey {
    /// Where it stands; the shell keeps a consumer's outlet under the same number.
    pub slot: u32,
    /// Which of the slot's consumers it is.
    pub generation: u32,
}

/// How somebody consumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// How many messages it may hold unacked; `None` is no limit.
    pub prefetch: Option<u32>,
    /// Messages count as settled when they are sent.
    pub no_ack: bool,
    /// Nobody else may consume meanwhile.
    pub exclusive: bool,
    /// Higher ones are served first (`x-priority`).
    pub priority: i64,
    /// How many ms it may keep a message unsettled; `None`: as the queue says.
    pub timeout: Option<u64>,
}

/// Somebody else consumes, and one of the two wants to be the only one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the queue has an exclusive consumer, or has consumers and cannot get one")]
pub struct ExclusiveConsumer;

#[derive(Clone, Debug)]
struct Consumer {
    subscription: Subscription,
    unacked: u32,
    /// Its way out is full; it gets nothing until there is room.
    busy: bool,
    /// It waits in its priority's ring.
    in_line: bool,
}

impl Consumer {
    fn can_take(&self) -> bool {
        !self.busy && self.subscription.prefetch.is_none_or(|limit| self.unacked < limit)
    }
}

#[derive(Clone, Debug, Default)]
struct Slot {
    generation: u32,
    consumer: Option<Consumer>,
}

/// The consumers of one queue.
#[derive(Clone, Debug, Default)]
pub struct Consumers {
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// Those that can take a message, by falling priority. One that left is skipped when its
    /// turn comes.
    lines: Vec<(i64, VecDeque<ConsumerKey>)>,
    count: usize,
    exclusive: bool,
    /// A single active consumer: all of them as they came, the active one first.
    single: Option<VecDeque<ConsumerKey>>,
}

impl Consumers {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// From now on one of them gets everything. To be said before there is any.
    pub fn only_one_is_active(&mut self, only_one: bool) {
        if self.count == 0 {
            self.single = only_one.then(VecDeque::new);
        }
    }

    /// Whether this one gets messages, or waits for the active one to leave.
    pub fn is_active(&self, key: ConsumerKey) -> bool {
        self.single.as_ref().is_none_or(|line| line.front() == Some(&key))
    }

    /// Whether this one is still there.
    pub fn contains(&self, key: ConsumerKey) -> bool {
        self.get(key).is_some()
    }

    /// Whether one of them wants to be the only one.
    pub fn is_exclusive(&self) -> bool {
        self.exclusive
    }

    /// How somebody consumes who is still there.
    pub fn subscription(&self, key: ConsumerKey) -> Option<Subscription> {
        self.get(key).map(|consumer| consumer.subscription)
    }

    /// All of them, by slot.
    pub fn iter(&self) -> impl Iterator<Item = (ConsumerKey, Subscription, u32)> {
        self.slots.iter().zip(0..).filter_map(|(slot, number)| {
            let consumer = slot.consumer.as_ref()?;
            let key = ConsumerKey { slot: number, generation: slot.generation };
            Some((key, consumer.subscription, consumer.unacked))
        })
    }

    /// Adds one, last in line.
    pub fn add(&mut self, subscription: Subscription) -> Result<ConsumerKey, ExclusiveConsumer> {
        let never_alone = self.count > 0 || self.single.is_some();
        if self.exclusive || (subscription.exclusive && never_alone) {
            return Err(ExclusiveConsumer);
        }
        let number = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            u32::try_from(self.slots.len() - 1).expect("fewer than 4 G consumers on a queue")
        });
        let slot = &mut self.slots[number as usize];
        slot.generation += 1;
        let key = ConsumerKey { slot: number, generation: slot.generation };
        slot.consumer = Some(Consumer { subscription, unacked: 0, busy: false, in_line: false });
        self.count += 1;
        self.exclusive = subscription.exclusive;
        match &mut self.single {
            Some(line) => line.push_back(key),
            None => self.line_up(key),
        }
        Ok(key)
    }

    /// Removes one. Returns whether it was there.
    pub fn remove(&mut self, key: ConsumerKey) -> bool {
        if self.get(key).is_none() {
            return false;
        }
        self.slots[key.slot as usize].consumer = None;
        self.free.push(key.slot);
        self.count -= 1;
        self.exclusive = false;
        if let Some(line) = &mut self.single {
            line.retain(|each| *each != key);
        }
        if self.count == 0 {
            self.lines.clear();
        }
        true
    }

    /// Whose turn it is.
    #[inline]
    pub fn whose_turn(&mut self) -> Option<ConsumerKey> {
        if let Some(line) = &self.single {
            let active = line.front().copied();
            return active.filter(|key| self.get(*key).is_some_and(Consumer::can_take));
        }
        for (_, line) in &mut self.lines {
            while let Some(&key) = line.front() {
                let slot = &mut self.slots[key.slot as usize];
                match &mut slot.consumer {
                    Some(consumer) if slot.generation == key.generation => {
                        if consumer.can_take() {
                            return Some(key);
                        }
                        consumer.in_line = false;
                    }
                    Some(_) | None => {}
                }
                line.pop_front();
            }
        }
        None
    }

    /// Notes that the one whose turn it was took a message, and ends its turn. Returns whether
    /// the message is settled with that.
    #[inline]
    pub fn took(&mut self, key: ConsumerKey) -> bool {
        let consumer = self.get_mut(key).expect("it was this consumer's turn");
        let no_ack = consumer.subscription.no_ack;
        consumer.unacked += u32::from(!no_ack);
        if self.single.is_some() {
            return no_ack;
        }
        let consumer = self.get_mut(key).expect("it was this consumer's turn");
        consumer.in_line = consumer.can_take();
        let (again, priority) = (consumer.in_line, consumer.subscription.priority);
        let line = self.lines.iter_mut().find(|(each, _)| *each == priority);
        let (_, line) = line.expect("a consumer's priority has a line");
        if line.len() > 1 || !again {
            line.pop_front();
            if again {
                line.push_back(key);
            }
        }
        no_ack
    }

    /// Gives one of its credits back.
    #[inline]
    pub fn settled(&mut self, key: ConsumerKey) {
        if let Some(consumer) = self.get_mut(key) {
            consumer.unacked -= 1;
            self.line_up(key);
        }
    }

    /// Marks its way out as full, or as having room again.
    pub fn set_busy(&mut self, key: ConsumerKey, busy: bool) {
        if let Some(consumer) = self.get_mut(key) {
            consumer.busy = busy;
            self.line_up(key);
        }
    }

    /// Puts it at the end of its line, if it can take something and is not there yet.
    #[inline]
    fn line_up(&mut self, key: ConsumerKey) {
        if self.single.is_some() {
            return;
        }
        let Some(consumer) = self.get_mut(key) else { return };
        if consumer.in_line || !consumer.can_take() {
            return;
        }
        consumer.in_line = true;
        let priority = consumer.subscription.priority;
        let at = self.lines.partition_point(|(each, _)| *each > priority);
        if self.lines.get(at).is_none_or(|(each, _)| *each != priority) {
            self.lines.insert(at, (priority, VecDeque::new()));
        }
        self.lines[at].1.push_back(key);
    }

    fn get(&self, key: ConsumerKey) -> Option<&Consumer> {
        let slot = self.slots.get(key.slot as usize)?;
        slot.consumer.as_ref().filter(|_| slot.generation == key.generation)
    }

    #[inline]
    fn get_mut(&mut self, key: ConsumerKey) -> Option<&mut Consumer> {
        let slot = self.slots.get_mut(key.slot as usize)?;
        slot.consumer.as_mut().filter(|_| slot.generation == key.generation)
    }

    /// What must hold: nobody holds more than its prefetch, and whoever can take is in line once.
    pub(super) fn validate(&self) {
        let mut count = 0;
        for (key, subscription, unacked) in self.iter() {
            count += 1;
            let consumer = self.get(key).expect("listed");
            assert!(
                subscription.prefetch.is_none_or(|limit| unacked <= limit),
                "prefetch exceeded"
            );
            let times: usize = self
                .lines
                .iter()
                .map(|(_, line)| line.iter().filter(|each| **each == key).count())
                .sum();
            assert_eq!(times, usize::from(consumer.in_line), "in line as often as noted");
            let single = self.single.is_some();
            assert!(single || consumer.in_line || !consumer.can_take(), "who can take is in line");
        }
        assert_eq!(count, self.count);
        assert!(self.single.as_ref().is_none_or(|line| line.len() == count));
        assert!(!self.exclusive || count == 1, "an exclusive consumer is alone");
    }
}
