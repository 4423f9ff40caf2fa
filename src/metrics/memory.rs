//! What memory is used for, by RabbitMQ's names.
//!
//! What is counted is what is held: bodies, buffers, histories. What objects cost beside it is
//! reckoned from measured sizes. The rest of what the system says that the process holds has no name;
//! so the parts always add up to the whole.

use super::machine;
use super::sampler::Sampler;
use crate::broker::Broker;
use crate::queue::options::QueueKind;

/// What an idle connection costs besides its channels (measured, `warren perf idle`).
const CONNECTION: u64 = 4_096;
/// What a channel costs.
const CHANNEL: u64 = 1_024;

/// One use of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// What the management API calls it.
    pub name: &'static str,
    /// What Prometheus calls it.
    pub metric: &'static str,
    /// What it is.
    pub help: &'static str,
    /// How much it is.
    pub bytes: u64,
}

/// All uses of memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breakdown {
    parts: Vec<Part>,
    /// What the process holds.
    pub total: u64,
}

/// What RabbitMQ's parts are called, here and there.
const PARTS: [(&str, &str, &str); 26] = [
    ("code", "memory_code_module_bytes", "Code module memory footprint"),
    (
        "connection_readers",
        "memory_client_connection_reader_bytes",
        "Client connection reader processes footprint in bytes",
    ),
    (
        "connection_writers",
        "memory_client_connection_writer_bytes",
        "Client connection writer processes footprint in bytes",
    ),
    (
        "connection_channels",
        "memory_client_connection_channel_bytes",
        "Client connection channel processes footprint in bytes",
    ),
    (
        "connection_other",
        "memory_client_connection_other_bytes",
        "Client connection other processes footprint in bytes",
    ),
    (
        "queue_procs",
        "memory_classic_queue_erlang_process_bytes",
        "Classic queue processes footprint in bytes",
    ),
    (
        "quorum_queue_procs",
        "memory_quorum_queue_erlang_process_bytes",
        "Quorum queue processes footprint in bytes",
    ),
    (
        "quorum_queue_dlx_procs",
        "memory_quorum_queue_dlx_erlang_process_bytes",
        "Quorum queue DLX worker processes footprint in bytes",
    ),
    (
        "stream_queue_procs",
        "memory_stream_erlang_process_bytes",
        "Stream processes footprint in bytes",
    ),
    (
        "stream_queue_replica_reader_procs",
        "memory_stream_replica_reader_erlang_process_bytes",
        "Stream replica reader processes footprint in bytes",
    ),
    (
        "stream_queue_coordinator_procs",
        "memory_stream_coordinator_erlang_process_bytes",
        "Stream coordinator processes footprint in bytes",
    ),
    ("plugins", "memory_plugin_bytes", "Total plugin footprint in bytes"),
    (
        "metadata_store",
        "memory_modern_metadata_store_bytes",
        "Modern metadata store footprint in bytes",
    ),
    ("other_proc", "memory_other_erlang_process_bytes", "Other processes footprint in bytes"),
    ("metrics", "memory_metrics_bytes", "Metric table footprint in bytes"),
    ("mgmt_db", "memory_management_stats_db_bytes", "Management stats database footprint in bytes"),
    ("mnesia", "memory_classic_metadata_store_bytes", "Classic metadata store footprint in bytes"),
    (
        "quorum_ets",
        "memory_quorum_queue_ets_table_bytes",
        "Quorum queue ETS tables footprint in bytes",
    ),
    (
        "metadata_store_ets",
        "memory_modern_metadata_store_ets_table_bytes",
        "Modern metadata store ETS tables footprint in bytes",
    ),
    ("other_ets", "memory_other_ets_table_bytes", "Other ETS tables footprint in bytes"),
    ("binary", "memory_binary_heap_bytes", "Binary heap size in bytes"),
    ("msg_index", "memory_message_index_bytes", "Message index footprint in bytes"),
    ("atom", "memory_atom_table_bytes", "Atom table size in bytes"),
    ("other_system", "memory_other_system_bytes", "Other runtime footprint in bytes"),
    (
        "allocated_unused",
        "memory_runtime_allocated_unused_bytes",
        "Runtime allocated but unused blocks size in bytes",
    ),
    (
        "reserved_unallocated",
        "memory_runtime_reserved_unallocated_bytes",
        "Runtime reserved but unallocated blocks size in bytes",
    ),
];

/// What has no other name.
const REST: &str = "other_system";

impl Breakdown {
    /// Looks at what there is.
    pub fn look(broker: &Broker, sampler: &Sampler) -> Self {
        let (mut classic, mut quorum) = (0, 0);
        for vhost in broker.vhosts() {
            vhost.each_queue(|queue| {
                let counts = queue.counts();
                match counts.kind {
                    QueueKind::Classic | QueueKind::Stream => classic += counts.memory(),
                    QueueKind::Quorum => quorum += counts.memory(),
                }
            });
        }
        let peers = broker.peers.open();
        let channels: usize = peers.iter().map(|peer| peer.channel_count()).sum();
        let outboxes: u64 =
            peers.iter().map(|peer| peer.outbox.lock().waiting_bytes() as u64).sum();
        let known = [
            ("code", machine::code_memory().unwrap_or(0)),
            ("connection_readers", broker.read_buffers.held()),
            ("connection_writers", broker.write_buffers.held() + outboxes),
            ("connection_channels", channels as u64 * CHANNEL),
            ("connection_other", peers.len() as u64 * CONNECTION),
            ("queue_procs", classic),
            ("quorum_queue_procs", quorum),
            ("mgmt_db", sampler.read(|seen| seen.memory())),
        ];
        Self::of(machine::resident_memory().unwrap_or(0), &known)
    }

    /// Known uses and the rest of what the process holds. What was reckoned too high is cut.
    fn of(total: u64, known: &[(&str, u64)]) -> Self {
        let mut left = total;
        let mut parts: Vec<Part> = PARTS
            .map(|(name, metric, help)| {
                let bytes = known.iter().find(|(each, _)| *each == name).map_or(0, |each| each.1);
                let bytes = bytes.min(left);
                left -= bytes;
                Part { name, metric, help, bytes }
            })
            .into();
        let rest = parts.iter_mut().find(|part| part.name == REST);
        rest.expect("the rest is one of the parts").bytes = left;
        Self { parts, total }
    }

    /// Its parts, which add up to the total.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up_to_the_whole() {
        for (total, known) in
            [(100, vec![("queue_procs", 70)]), (10, vec![("code", 8), ("mgmt_db", 9)])]
        {
            let breakdown = Breakdown::of(total, &known);
            let sum: u64 = breakdown.parts().iter().map(|part| part.bytes).sum();
            assert_eq!(sum, total);
        }
        let breakdown = Breakdown::of(100, &[("queue_procs", 70)]);
        let of =
            |name| breakdown.parts().iter().find(|part| part.name == name).map(|part| part.bytes);
        assert_eq!((of("queue_procs"), of(REST), of("code")), (Some(70), Some(30), Some(0)));
    }
}
