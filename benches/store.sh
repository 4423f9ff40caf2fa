#!/bin/bash
# Measures what the durable store promises, on brokers of its own, and prints a Markdown table.
#
#   benches/store.sh [DIR]
#
# DIR (a new one under the working directory) is where the data goes: put it on the disk that is meant.
# CASES picks some of: fill many restart queues steady confirms; MANY (20000000) messages for `many`,
# BACKLOG (2000000) for `restart`. Every step ends by itself after LIMIT seconds (240).
# WARREN=path to a release build. Needs jq. With other load on the machine, look at CPU and not at rates.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
warren=${WARREN:-$here/../target/release/warren} limit=${LIMIT:-240}
dir=${1:-$(mktemp -d "$PWD/store-bench.XXXXXX")} many=${MANY:-20000000} backlog=${BACKLOG:-2000000}
cases=${CASES:-fill many restart queues steady confirms}
port=${PORT:-5691} uri=amqp://guest:guest@127.0.0.1:${PORT:-5691}/ pid=
mkdir -p "$dir"
dir=$(realpath "$dir") warren=$(realpath "$warren")
cd "$dir" # not where some config.toml is
trap 'stop; rm -rf "$dir"' EXIT

say() { echo "$(date +%T) $*" >&2; }
row() { echo "| $1 | $2 | $3 |"; }
wanted() { [[ " $cases " == *" $1 "* ]]; }
now() { date +%s%3N; }
status() { awk -v key="$1:" '$1 == key {print $2}' "/proc/$pid/status"; }
# What the broker has written to files.
asked() { awk '$1 == "wchar:" {print $2}' "/proc/$pid/io"; }
# What the disk has taken, from whomever: a process's own write_bytes count whole folios of the page
# cache, on Linux 6.18 nine times what is written.
written() { awk '{print $7 * 512}' "/sys/dev/block/$(stat -c %Hd:%Ld "$dir")/stat"; }
# Whether the broker answers a protocol header.
greets() {
  (exec 3<>"/dev/tcp/127.0.0.1/$port" && printf 'AMQP\0\0\x09\x01' >&3 && timeout 5 head -c 1 <&3) \
    >/dev/null 2>&1
}

# Starts a broker on what is there. Sets `took`: ms until it lets clients in.
start() {
  local began; began=$(now)
  "$warren" --data-dir "$dir/data" --bind 127.0.0.1 --amqp-port "$port" --http-port 0 2>>"$dir/log" &
  pid=$!
  until greets; do
    kill -0 "$pid" 2>/dev/null || { cat "$dir/log" >&2; exit 1; }
    (($(now) - began < limit * 1000)) || { say "it does not start"; exit 1; }
    sleep 0.005
  done
  took=$(($(now) - began))
}
stop() {
  [[ -n $pid ]] || return 0
  kill "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
  pid=
}
fresh() { stop; rm -rf "$dir/data"; start; sleep 1; }
load() { timeout "$limit" "$warren" perf --uri "$uri" --pid "$pid" --json --quiet --persistent --durable "$@"; }

# fill COUNT: fills a queue without a consumer, then drains it.
fill() {
  local count=$1 idle before report
  say "filling $count × 100 B"
  fresh
  idle=$(status VmRSS) before=$(asked)
  report=$(load --queue-name backlog --count "$count" --size 100 --consumers 0 --keep --patience 60)
  row "fill $count × 100 B: CPU per message; highest RSS over idle; written per byte of body" \
    "0.8 µs; 64 MiB" "$(jq -r '.broker.cpu_us_per_message * 100 | round / 100' <<<"$report") µs; $(((
      $(status VmHWM) - idle) / 1024)) MiB; $(awk "BEGIN {printf \"%.2f\", ($(asked) - $before) / ($count * 100)}")"
  say "draining them"
  report=$(load --queue-name backlog --count "$count" --size 100 --publishers 0 --ack 1 --prefetch 1000 --patience 60)
  row "drain them, ack each: CPU per message" "0.6 µs" \
    "$(jq -r '.broker.cpu_us_per_message * 100 | round / 100' <<<"$report") µs"
}

restart() {
  say "filling $backlog × 100 B for a restart"
  fresh
  load --queue-name backlog --count "$backlog" --size 100 --consumers 0 --keep --patience 60 >/dev/null
  stop
  start
  row "restart with $backlog messages, to accepting connections" "2 s" "$took ms"
  kill -9 "$pid"; wait "$pid" 2>/dev/null || true; pid=
  start
  row "the same after kill −9" "2 s" "$took ms"
}

queues() {
  say "declaring 10,000 durable queues"
  fresh
  local began; began=$(now)
  timeout "$limit" "$warren" perf --uri "$uri" --quiet --idle-queues 10000 --durable --keep --duration 0 >/dev/null
  # Half a second of it is perf's own.
  local declared=$(($(now) - began - 500))
  sleep 3
  local rss=$(($(status VmRSS) / 1024))
  stop
  start
  sleep 1
  row "10,000 durable queues: declare all / restart / RSS before and after" "5 s / 1 s / 50 MB" \
    "$declared ms / $took ms / $rss and $(($(status VmRSS) / 1024)) MiB"
}

# Published, consumed and acked at the same time.
steady() {
  say "steady state, 1 KiB"
  fresh
  local args=(--queue-name steady --size 1024 --confirm 200 --ack 1 --prefetch 200)
  load "${args[@]}" --duration 5 --keep >/dev/null
  local before report; before=$(written)
  report=$(load "${args[@]}" --duration 10)
  row "1 KiB, confirm window 200, ack each: bytes written per byte of body" "1.3" \
    "$(jq -r "(.published // 0) as \$n | if \$n > 0 then ($(written) - $before) / (\$n * 1024) * 100 | round / 100 else \"-\" end" <<<"$report")"
}

confirms() {
  fresh
  say "confirms"
  local timed=(--queue-name durable --size 1024 --duration "${SECONDS_EACH:-8}" --warmup 2)
  local format='"\(.publish_rate | round)/s, \(.broker.cpu_us_per_message * 100 | round / 100) µs, p50 \(.confirm_latency_us.p50 | round) µs"'
  row "1 KiB, confirm window 200, ack each: rate, CPU, confirm" "3.5 µs" \
    "$(load "${timed[@]}" --confirm 200 --ack 1 --prefetch 200 | jq -r "$format")"
  row "the same, 4 × 4 × 4, window 100" "3.0 µs" \
    "$(load "${timed[@]}" --confirm 100 --ack 1 --prefetch 200 --publishers 4 --consumers 4 --queues 4 | jq -r "$format")"
  row "1 KiB, one outstanding confirm" "1.3 × a bare write and sync" \
    "$(load "${timed[@]}" --confirm 1 --consumers 0 | jq -r "$format")"
}

echo "| case | at most | measured |"
echo "|---|---|---|"
wanted fill && fill 1000000
wanted many && fill "$many"
wanted restart && restart
wanted queues && queues
wanted steady && steady
wanted confirms && confirms
true
