#!/usr/bin/env bash
# Restores a backup of backup.sh elsewhere and proves that it is good: usage: backup-drill.sh DIRECTORY
# From the environment: DRILL_URL, an empty database as its owner; it is filled, and yours to drop afterwards.
# Touches nothing else: the service that is started on the copy is for loopback only and has no bot token.
# Needs psql and pg_restore, at least as new as the backup's pg_dump, openssl, curl and a built Countersign.
set -euo pipefail
directory=${1:?usage: backup-drill.sh DIRECTORY}
: "${DRILL_URL:?must be the address of an empty database, as its owner}"
. "$(dirname "${BASH_SOURCE[0]}")/address.sh"
umask 077
program="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/dist/src"
scratch="$(mktemp -d)"
service=
finish() {
  if [ -n "$service" ]; then
    kill "$service" && wait "$service" || true
  fi
  rm -rf "$scratch"
}
trap finish EXIT
fail() {
  echo "backup-drill: $*" >&2
  exit 1
}
take_password_out "$DRILL_URL" "$scratch"
ask() { psql -XAtq --set ON_ERROR_STOP=on "$ADDRESS" -c "$1"; }

tables="$(ask "select count(*) from pg_tables where schemaname = 'public'")"
[ "$tables" = 0 ] || fail "the database of DRILL_URL has $tables tables; give an empty one"

SECONDS=0
pg_restore --no-owner --no-privileges --single-transaction --exit-on-error --dbname "$ADDRESS" \
  "$directory/countersign.dump"
echo "Restored in $SECONDS s: $(ask "select count(*) from approvals") requests," \
  "$(ask "select count(*) from approvals where status = 'pending'") of them pending."

# Secrets by files: the arguments of a program, those of env too, are there for everybody to read.
printf '%s' "$DRILL_URL" > "$scratch/url"
openssl rand -hex 32 > "$scratch/operator-key"
openssl rand -hex 32 > "$scratch/agent-key"
printf 'Authorization: Bearer %s\n' "$(cat "$scratch/agent-key")" > "$scratch/agent-header"
env -i PATH="$PATH" HOST=127.0.0.1 PORT=0 DATA_DIR="$scratch/data" DATABASE_URL_FILE="$scratch/url" \
  OPERATOR_API_KEY_FILE="$scratch/operator-key" AGENT_API_KEY_FILE="$scratch/agent-key" LOG_FORMAT=json \
  node "$program/main.js" > "$scratch/log" 2>&1 &
service=$!
url=
until [ -n "$url" ]; do
  kill -0 "$service" || fail "the service does not start on the copy: $(tail -n 5 "$scratch/log")"
  sleep 0.2
  url="$(sed -n 's/.*"event":"service.ready".*"url":"\([^"]*\)".*/\1/p' "$scratch/log")"
done
COUNTERSIGN_KEY="$(cat "$scratch/operator-key")"
export COUNTERSIGN_URL="$url" COUNTERSIGN_KEY
countersign() { node "$program/cli/countersign.js" "$@"; }

countersign audit verify --checkpoints "$directory/checkpoint.jsonl"
receipts="$(ask 'select jws from receipts')"
[ -z "$receipts" ] || countersign receipt verify - <<< "$receipts"

# The copy works: a request is asked and decided, and the log goes on from where the backup ended.
asked="$(curl -fsS "$url/api/approvals" -H @"$scratch/agent-header" -H 'Content-Type: application/json' \
  -d '{"agentId":"backup-drill","sessionId":"drill","toolName":"drill","toolInput":{}}')"
countersign approvals approve "$(sed 's/.*"id":"\([^"]*\)".*/\1/' <<< "$asked")" > "$scratch/decided"
countersign audit verify --checkpoints "$directory/checkpoint.jsonl" > "$scratch/verified"
echo "The backup is good: restored, verified and at work after $SECONDS s."
