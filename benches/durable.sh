#!/bin/bash
# Measures what durability costs, and prints a Markdown table, one row per case.
#
#   benches/durable.sh URI PID [LABEL]
#
# URI may end in a vhost; the broker should be freshly started and otherwise idle. PID is its process.
# SECONDS_EACH seconds for each case (8) after a warm-up of 2; MESSAGES (1000000) to fill and drain.
# What no broker can beat (benches/floor.rs, in BARE_DIR, the working directory) stands beside them: put it
# on the broker's disk. Needs jq, rustc, and a release build (or PERF=path to the binary).
set -euo pipefail
uri=${1:?URI of the broker} pid=${2:?PID of the broker} label=${3:-broker}
seconds=${SECONDS_EACH:-8} messages=${MESSAGES:-1000000}
perf=${PERF:-$(dirname "$0")/../target/release/warren}

# What a write and a sync of one message takes without a broker, and what an echo takes that does the same.
floor=$(mktemp)
trap 'rm -f "$floor"' EXIT
rustc --edition 2024 -O "$(dirname "$0")/floor.rs" -o "$floor"
bare() { "$floor" "${BARE_DIR:-.}"; }

# load "case" ARGS…: a row; the latency is that of confirms.
load() {
  local name=$1; shift
  "$perf" perf --uri "$uri" --pid "$pid" --json --quiet --persistent --durable "$@" |
    jq -r --arg name "$label: $name" '
      def n(digits): if . == null then "-" else . * pow(10; digits) | round / pow(10; digits) end;
      ([.publish_rate, .consume_rate] | max) as $rate |
      "| \($name) | \($rate | n(0)) | \(.broker.cpu_us_per_message | n(2)) | " +
      "\(.confirm_latency_us.p50 | n(0)) | \(.confirm_latency_us.p99 | n(0)) | \(.broker.rss_kib / 1024 | n(0)) |"'
}

echo "| case | messages/s | CPU µs | confirm p50 µs | p99 µs | RSS MiB |"
echo "|---|---:|---:|---:|---:|---:|"
bare
timed=(--queue-name durable --duration "$seconds" --warmup 2)
load "1 KiB, one outstanding confirm" "${timed[@]}" --size 1024 --confirm 1 --consumers 0
load "1 KiB, window 200, ack each" "${timed[@]}" --size 1024 --confirm 200 --ack 1 --prefetch 200
load "1 KiB, 4×4×4, window 100" "${timed[@]}" --size 1024 --confirm 100 --ack 1 --prefetch 200 \
  --publishers 4 --consumers 4 --queues 4
counted=(--queue-name backlog --count "$messages" --warmup 0 --duration 600 --keep --size 100)
load "fill $messages × 100 B" "${counted[@]}" --consumers 0
load "drain them" "${counted[@]}" --publishers 0 --ack 1 --prefetch 1000
bare
