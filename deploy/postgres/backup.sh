#!/usr/bin/env bash
# A backup, while replicas serve: usage: backup.sh DIRECTORY
# Writes countersign.dump and checkpoint.jsonl into the new directory. The checkpoint is signed before the dump is taken:
# a dump whose audit log does not reach it is not this one. Keep a copy of it where the database's owner cannot write.
# From the environment: DATABASE_MIGRATION_URL, the owner's. Needs pg_dump, at least as new as the server, and
# countersign with an operator's key.
set -euo pipefail
directory=${1:?usage: backup.sh DIRECTORY}
: "${DATABASE_MIGRATION_URL:?must be the address of the database, as its owner}"
. "$(dirname "${BASH_SOURCE[0]}")/address.sh"
umask 077
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
take_password_out "$DATABASE_MIGRATION_URL" "$scratch"
mkdir "$directory"
countersign audit checkpoint --json > "$directory/checkpoint.jsonl" ||
  echo "backup: no checkpoint, as the service gives none: put one that you kept into $directory/checkpoint.jsonl," \
    "or the drill will not pass" >&2
pg_dump --format=custom --file="$directory/countersign.dump.unfinished" "$ADDRESS"
# What bears the name is whole.
mv "$directory/countersign.dump.unfinished" "$directory/countersign.dump"
echo "Backed up to $directory: $(wc -c < "$directory/countersign.dump") bytes."
