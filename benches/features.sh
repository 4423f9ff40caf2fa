#!/bin/bash
# What features cost beside a plain queue, and how fast a policy takes effect.
#
#   benches/features.sh PORT HTTP_PORT PID
#
# Needs jq and curl, and a release build (or PERF=path to the binary).
set -euo pipefail
port=${1:?AMQP port} http=${2:?HTTP port} pid=${3:?PID of the broker}
perf=${PERF:-$(dirname "$0")/../target/release/warren}
uri=amqp://guest:guest@127.0.0.1:$port/

cpu() {
  "$perf" perf --uri "$uri" --pid "$pid" --json --quiet --duration "${SECONDS_EACH:-6}" --warmup 1 \
    --size 1024 --ack 1 --prefetch 200 --max-backlog 5000 "$@" | jq .broker.cpu_us_per_message
}

# Alternating, so that a busy machine is unfair to both.
for _ in 1 2 3; do
  plain=$(cpu) priority=$(cpu --queue-arg x-max-priority=10)
  echo "1 KiB, ack each: plain $plain µs, x-max-priority 10 $priority µs, ratio $(jq -n "$priority / $plain")"
done
for _ in 1 2 3; do
  shared=(--queues 16 --consumers 16 --spread --routing-keys 64)
  direct=$(cpu "${shared[@]}" --exchange-type direct) hash=$(cpu "${shared[@]}" --exchange-type x-consistent-hash)
  echo "1 KiB over 16 queues: direct $direct µs, x-consistent-hash $hash µs, ratio $(jq -n "$hash / $direct")"
done

"$perf" perf --uri "$uri" --pid "$pid" --json --quiet --duration 20 --idle-queues 10000 > /dev/null &
until [ "$(curl -s -u guest:guest "localhost:$http/api/overview" | jq .object_totals.queues)" -ge 10000 ]; do sleep 0.2; done
for length in 1000 2000 3000; do
  curl -s -o /dev/null -u guest:guest -X PUT "localhost:$http/api/policies/%2F/all" \
    -w 'a policy on 10,000 queues: %{time_total} s\n' \
    -d "{\"pattern\": \".*\", \"apply-to\": \"queues\", \"definition\": {\"max-length\": $length}}"
done
curl -s -u guest:guest -X DELETE "localhost:$http/api/policies/%2F/all"
wait
