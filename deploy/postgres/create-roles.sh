#!/bin/bash
# Run by the postgres image when it makes its cluster: the roles, with the passwords of the compose file's secrets.
set -euo pipefail
OWNER_PASSWORD="$(</run/secrets/postgres-owner-password)"
SERVICE_PASSWORD="$(</run/secrets/postgres-service-password)"
export OWNER_PASSWORD SERVICE_PASSWORD
psql --username "$POSTGRES_USER" --dbname postgres --file /etc/countersign/roles.sql
