//! Queues that hand nothing out until they are told to again.

use super::{Topology, rows};
use crate::names::QueueId;

impl Topology {
    /// Whether a queue hands nothing out.
    pub fn is_paused(&self, id: QueueId) -> bool {
        self.paused.contains(&id)
    }

    /// From now on a queue hands nothing out, or it does again.
    pub fn pause_queue(&mut self, id: QueueId, paused: bool) {
        let Some(declaration) = self.queues.get(&id) else { return };
        let changed = if paused { self.paused.insert(id) } else { self.paused.remove(&id) };
        if changed && declaration.declared.durable {
            let row = rows::paused(&declaration.vhost, &declaration.name);
            self.changes.push(if paused { row } else { rows::gone(row) });
        }
    }

    pub(super) fn restore_paused(&mut self, queue: &str) {
        if let Some(id) = self.queue(queue) {
            self.paused.insert(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::options::{Declaration, Declared};
    use crate::topology::rows::{Row, read};
    use crate::wire::table::Table;

    fn declaration(durable: bool) -> Declaration {
        let declared = Declared { durable, ..Declared::default() };
        let arguments = Table::default();
        Declaration { vhost: "/".into(), name: "q".into(), declared, arguments }
    }

    #[test]
    fn a_paused_durable_queue_is_written_down_until_it_goes() {
        let mut topology = Topology::new("/".into());
        topology.add_queue(QueueId(1), declaration(true));
        topology.take_changes();
        topology.pause_queue(QueueId(1), true);
        topology.pause_queue(QueueId(1), true);
        let changes = topology.take_changes();
        let [paused] = &changes[..] else { panic!("{changes:?}") };
        let row = read(&paused.key, paused.value.as_ref().expect("there"));
        assert_eq!(row, Ok(Row::Paused("/".into(), "q".into())));
        let mut restored = Topology::new("/".into());
        restored.restore(Row::Queue(QueueId(1), declaration(true)));
        restored.restore(row.expect("read"));
        assert!(restored.is_paused(QueueId(1)));
        topology.remove_queue(QueueId(1));
        assert!(topology.take_changes().contains(&rows::gone(paused.clone())));
        assert!(!topology.is_paused(QueueId(1)));
    }

    #[test]
    fn of_a_transient_one_nothing_is_written() {
        let mut topology = Topology::new("/".into());
        topology.add_queue(QueueId(1), declaration(false));
        topology.pause_queue(QueueId(1), true);
        assert!(topology.is_paused(QueueId(1)));
        assert_eq!(topology.take_changes(), []);
    }
}
