#!/bin/bash
# What it costs to show messages to OpenTelemetry: broker CPU per message with it off, on for no
# message (ratio 0), for one in a hundred and for all, in turn.
#
#   benches/opentelemetry.sh [OTHER_BINARY]
#
# OTHER_BINARY is measured too, for example a build from before a change. Needs jq, curl, python3 and a
# release build (or WARREN=path to the binary).
set -euo pipefail
warren=$(realpath "${WARREN:-$(dirname "$0")/../target/release/warren}") other=${1:+$(realpath "$1")}
dir=$(mktemp -d) pids=()
finish() { kill "${pids[@]}" 2>/dev/null || true; wait 2>/dev/null; rm -rf "$dir"; }
trap finish EXIT
cd "$dir" # no ./config.toml here

# A collector that takes everything and looks at nothing.
cat > "$dir/collector.py" <<'PY'
import socket, threading
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
def serve(client):
    with client, client.makefile("rb", 1 << 20) as requests:
        while requests.readline():
            left = 0
            while (line := requests.readline()) not in (b"\r\n", b""):
                name, _, value = line.partition(b":")
                left = int(value) if name.lower() == b"content-length" else left
            while left > 0:
                left -= len(requests.read(min(left, 1 << 20)))
            client.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
PY
python3 "$dir/collector.py" > "$dir/collector" & pids+=($!)
until [ -s "$dir/collector" ]; do sleep 0.05; done
collector=$(cat "$dir/collector")

declare -A port pid metrics
names=()
# start NAME BINARY VARIABLE=VALUE…
start() {
  local name=$1 binary=$2; shift 2
  env "$@" WARREN_LOG_LEVEL=info "$binary" --data-dir "$dir/$name" --bind 127.0.0.1 --amqp-port 0 \
    --http-port 0 2> "$dir/$name.log" & pids+=($!)
  names+=("$name") pid[$name]=$!
  until grep -q 'amqp=' "$dir/$name.log"; do sleep 0.05; done
  port[$name]=$(sed -n 's/.*amqp=127\.0\.0\.1:\([0-9]*\).*/\1/p' "$dir/$name.log" | head -n 1)
  metrics[$name]=$(sed -n 's/.*prometheus=127\.0\.0\.1:\([0-9]*\).*/\1/p' "$dir/$name.log" | head -n 1)
}
on=(WARREN_OPENTELEMETRY_ENABLED=true "WARREN_OPENTELEMETRY_ENDPOINT=http://127.0.0.1:$collector")
[ -z "$other" ] || start other "$other" WARREN_OPENTELEMETRY_ENABLED=false
start off "$warren" WARREN_OPENTELEMETRY_ENABLED=false
start on "$warren" "${on[@]}"
start 0.01 "$warren" "${on[@]}" WARREN_OPENTELEMETRY_RATIO=0.01
start 1 "$warren" "${on[@]}" WARREN_OPENTELEMETRY_RATIO=1.0

# measure CASE ARGUMENTS…
measure() {
  local what=$1; shift
  for _ in $(seq "${ROUNDS:-3}"); do
    local line="$what:"
    for name in "${names[@]}"; do
      cpu=$("$warren" perf --uri "amqp://guest:guest@127.0.0.1:${port[$name]}/" --pid "${pid[$name]}" \
        --json --quiet --duration "${SECONDS_EACH:-3}" --warmup 1 "$@" | jq '.broker.cpu_us_per_message * 1000 | round / 1000')
      line+=" $name $cpu µs"
    done
    echo "$line"
  done
}
measure '16 B, auto-ack' --size 16
measure '1 KiB, ack each' --size 1024 --ack 1 --prefetch 200 --max-backlog 5000
measure '1 KiB, ack each, 5,000/s' --size 1024 --ack 1 --prefetch 200 --rate 5000
for name in on 0.01 1; do
  curl -s "127.0.0.1:${metrics[$name]}/metrics" | sed -n "s/^warren_opentelemetry_/$name: /p"
done
