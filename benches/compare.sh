#!/bin/bash
# Measures one broker with `warren perf` and prints a Markdown table, one row per case.
#
#   benches/compare.sh URI PID [LABEL]
#   benches/compare.sh amqp://guest:guest@127.0.0.1:5680/ "$(cat /tmp/peers/rabbitmq4.pid)" RabbitMQ
#
# URI may end in a vhost; the broker should be freshly started and otherwise idle. PID is its process.
# REPEAT runs of every case (3), the median by CPU is shown; SECONDS_EACH seconds each (8) after a
# warm-up of 2. CASES picks some of them by number, as in CASES="1 4".
# Needs jq, and a release build (or PERF=path to the binary).
set -euo pipefail
uri=${1:?URI of the broker} pid=${2:?PID of the broker} label=${3:-broker}
repeat=${REPEAT:-3} seconds=${SECONDS_EACH:-8} cases=${CASES:-1 2 3 4 5 6 7 8}
perf=${PERF:-$(dirname "$0")/../target/release/warren}
ulimit -n "$(ulimit -Hn)"   # idle connections

perf() { "$perf" perf --uri "$uri" --pid "$pid" --queue-name compare --json --quiet "$@"; }
wanted() { [[ " $cases " == *" $1 "* ]]; }

# load NUMBER "case" ARGS…: a row from the run whose CPU per message is the median.
load() {
  local number=$1 name=$2; shift 2
  wanted "$number" || return 0
  for _ in $(seq "$repeat"); do perf --duration "$seconds" --warmup 2 "$@"; done |
    jq -rs --arg broker "$label" --arg name "$name" '
      sort_by(.broker.cpu_us_per_message) | .[length / 2 | floor] |
      def n(digits): if . == null then "-" else . * pow(10; digits) | round / pow(10; digits) end;
      "| \($broker) | \($name) | \(.publish_rate | n(0)) | \(.consume_rate | n(0)) | " +
      "\(.broker.cpu_us_per_message | n(2)) | \(.latency_us.p50 | n(0)) | " +
      "\(.latency_us.p99 | n(0)) | \(.broker.rss_kib / 1024 | n(0)) |"'
}

# idle NUMBER "case" ARGS…: a row with the memory of one idle thing. Once: a broker reuses memory.
idle() {
  local number=$1 name=$2; shift 2
  wanted "$number" || return 0
  perf --duration 3 "$@" | jq -r --arg broker "$label" --arg name "$name" '
    "| \($broker) | \($name): \(.rss_bytes_each / 102.4 | round / 10) KiB each " +
    "| - | - | - | - | - | \(.rss_after_kib / 1024 | round) |"'
}

echo "| broker | case | published/s | consumed/s | CPU µs/publish | p50 µs | p99 µs | RSS MiB |"
echo "|---|---|---:|---:|---:|---:|---:|---:|"
# What it weighs comes first, while nothing has been through it yet.
wanted 8 && echo "| $label | (8) empty | - | - | - | - | - | $(($(awk '/VmRSS/ {print $2}' "/proc/$pid/status") / 1024)) |"
idle 6 "(6) idle connection with a channel" --idle-connections 2000
idle 7 "(7) idle queue" --idle-queues 10000
# Closed loops bound the backlog, so that a queue's length is no part of what is compared.
load 1 "(1) 16 B transient, auto-ack" --size 16 --max-backlog 20000
load 2 "(2) 1 KiB transient, ack each, prefetch 200" --size 1024 --ack 1 --prefetch 200 --max-backlog 5000
load 3 "(3) 100 B fanout to 10 queues" --size 100 --exchange-type fanout --queues 10 --consumers 10 --max-backlog 50000
load 4 "(4) 100 B topic, 1,000 bindings, 1 match" --size 100 --exchange-type topic --extra-bindings 1000 --max-backlog 20000
load 5 "(5) 1 KiB at 5,000/s, ack each" --size 1024 --rate 5000 --ack 1 --prefetch 200
