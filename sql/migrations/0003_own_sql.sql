-- What users add: the schema my, and the statements that made what is in it. A rebuild
-- and an upgrade make it anew from there.
create schema if not exists my;

-- grain: one row per view, table or macro of the schema my
create table own_objects (
    name varchar not null,
    kind varchar not null,
    statement varchar not null,
    made_at timestamp not null
);
