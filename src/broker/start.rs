//! What a restart finds, put back to work.

use std::sync::Arc;

use super::live_queue::Found;
use super::vhost::Vhost;
use super::{Broker, kept, queue_ids, waits};
use crate::auth;
use crate::config::{CatalogKind, DataConfig, Durability};
use crate::names::{QueueId, VhostName};
use crate::queue::Volume;
use crate::queue::ready::Away;
use crate::store::{self, CannotOpen, Record, Recovered, Store};
use crate::topology::rows::rules::Rule;
use crate::topology::rows::{self, Row};

/// Opens the data directory, if anything is to be kept.
pub(super) fn open_store(
    config: &DataConfig,
) -> Result<(Option<Arc<Store>>, Option<Recovered>), CannotOpen> {
    let mut options = store::Options::new(&config.dir);
    options.durability = match config.durability {
        Durability::Confirm => store::Durability::Confirm,
        Durability::Always => store::Durability::Always,
        Durability::Os => store::Durability::Os,
        Durability::None => return Ok((None, None)),
    };
    options.catalog = match config.catalog {
        CatalogKind::Sled => store::catalog::Kind::Sled,
        CatalogKind::Redb => store::catalog::Kind::Redb,
    };
    options.log_file = config.log_file.next_multiple_of(8);
    options.log_files = config.log_files;
    options.most_log_files = config.most_log_files;
    options.salvage = config.salvage;
    let (store, found) = Store::open(options)?;
    if config.salvage {
        let (lost, dir) = (found.lost.len(), config.dir.display());
        tracing::warn!(%dir, lost, "salvaged; from the next start on, start without --salvage");
    }
    Ok((Some(store), Some(found)))
}

/// Declares again what was declared, and gives queues their messages back.
pub(super) fn restore(broker: &Broker, found: Recovered) {
    let (accounts, rest) =
        found.rows.iter().partition::<Vec<_>, _>(|(key, _)| auth::rows::is_one(key));
    for (key, value) in accounts {
        if let Err(bad) = broker.auth.restore(key, value) {
            tracing::error!("{bad}: {}", key.escape_ascii());
        }
    }
    let mut rows: Vec<Row> = rest.into_iter().filter_map(|(key, value)| read(key, value)).collect();
    // What governs comes first, and what is bound before its bindings.
    rows.sort_by_key(|row| match row {
        Row::Rule(rule) if matches!(**rule, Rule::Vhost(..)) => 0,
        Row::Rule(_) => 1,
        Row::Exchange(_) | Row::Queue(..) => 2,
        Row::Binding(_) | Row::Paused(..) => 3,
    });
    let mut waits = waits::found(&found);
    let (mut queues, mut messages) = (0, 0);
    for row in rows {
        let Some(vhost) = vhost_of(&row) else {
            broker.restore_global(row);
            continue;
        };
        let written = matches!(&row, Row::Rule(rule) if matches!(**rule, Rule::Vhost(..)));
        let vhost = broker.restore_vhost(vhost, written);
        if let Row::Queue(id, declaration) = &row {
            let found = found_of(&found, *id);
            queues += 1;
            messages += found.away.count;
            let waits = waits.remove(id).unwrap_or_default();
            vhost.restore_queue(*id, declaration, found, waits);
        }
        if let Row::Paused(_, queue) = &row {
            vhost.restore_paused(queue.as_str());
        }
        vhost.restore(row);
    }
    let kept = found.rows.iter().filter_map(|(key, value)| kept::read(key, value));
    for (row, id) in kept {
        match broker.vhost(&row.of.vhost) {
            Some(vhost) => vhost.restore_kept(row, id, found_of(&found, id)),
            // It was being deleted with its vhost.
            None => {
                broker.shared.write_rows(&[row.gone()], &[id]);
            }
        }
    }
    for vhost in broker.vhosts() {
        vhost.guard_queues();
    }
    // Those of queues that are gone.
    for (queue, waits) in waits {
        let over: Vec<_> = waits.keys().map(|position| waits::over(queue, *position)).collect();
        broker.shared.write_rows(&over, &[]);
    }
    forget_deleted(broker, &found);
    tracing::info!(queues, messages, "durable queues are back");
}

/// The vhost that a row is about, if it is about one.
fn vhost_of(row: &Row) -> Option<VhostName> {
    match row {
        Row::Exchange(declaration) => Some(declaration.vhost.clone()),
        Row::Queue(_, declaration) => Some(declaration.vhost.clone()),
        Row::Binding(binding) => Some(binding.vhost.as_str().into()),
        Row::Paused(vhost, _) => Some(vhost.clone()),
        Row::Rule(rule) => match &**rule {
            Rule::Vhost(vhost, _) | Rule::Policy(vhost, ..) | Rule::Parameter { vhost, .. } => {
                Some(vhost.clone())
            }
            Rule::Global(..) | Rule::UserLimits(..) => None,
        },
    }
}

/// Tells the store of queues that have messages and no declaration any more.
fn forget_deleted(broker: &Broker, found: &Recovered) {
    let Some(store) = &broker.shared.store else { return };
    let has = |vhost: &Vhost, id| vhost.live(id).is_some() || vhost.keeps(id);
    let exists = |id| broker.vhosts.iter().any(|vhost| has(&vhost, id));
    for queue in found.queues.iter().map(|queue| queue.id).filter(|id| !exists(*id)) {
        store.append(Record::QueueDeleted { queue });
    }
}

fn read(key: &[u8], value: &[u8]) -> Option<Row> {
    if queue_ids::is_it(key) || waits::is_one(key) || kept::read(key, value).is_some() {
        return None;
    }
    let row = rows::read(key, value);
    if let Err(bad) = &row {
        tracing::error!("{bad}: {}", key.escape_ascii());
    }
    row.ok()
}

fn found_of(found: &Recovered, id: QueueId) -> Found {
    let Some(queue) = found.queues.iter().find(|queue| queue.id == id) else {
        return Found::default();
    };
    // What is not persistent does not outlast a restart.
    let lasting = Volume { messages: queue.messages, bytes: queue.body_bytes };
    let (count, body_bytes) = (queue.messages as usize, queue.body_bytes);
    let away = Away { from: 0, count, body_bytes, lasting };
    Found { away, next_position: queue.next_position, timed: queue.timed }
}
