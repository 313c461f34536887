-- The database with its two roles: one owns the schema and migrates it, the other serves and cannot rewrite the audit
-- log. For a superuser, once; takes OWNER_PASSWORD and SERVICE_PASSWORD from the environment.
\set ON_ERROR_STOP on
\getenv owner_password OWNER_PASSWORD
\getenv service_password SERVICE_PASSWORD
create role countersign_owner login password :'owner_password';
create role countersign login password :'service_password';
create database countersign owner countersign_owner;
-- Neither CONNECT nor TEMPORARY: a temporary table would stand before the owner's tables of the same name.
revoke all on database countersign from public;
grant connect on database countersign to countersign;
\connect countersign
revoke create on schema public from public;
-- PostgreSQL 14 gives the owner of a database no right to its schema.
grant usage, create on schema public to countersign_owner;
