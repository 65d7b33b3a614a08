-- grain: one row per (source)
create or replace view conservation as
select
    l.source,
    sum(l.received)::bigint as received,
    sum(l.inserted)::bigint as inserted,
    sum(l.superseded)::bigint as superseded,
    sum(l.duplicates)::bigint as duplicates,
    sum(l.quarantined)::bigint as quarantined,
    sum(l.ignored)::bigint as ignored,
    (
        sum(l.received)
        - sum(l.inserted)
        - sum(l.superseded)
        - sum(l.duplicates)
        - sum(l.quarantined)
        - sum(l.ignored)
    )::bigint as unaccounted,
    count(*) filter (
        where
        l.received
        != l.inserted + l.superseded + l.duplicates + l.quarantined + l.ignored
    ) as unbalanced_batches
from ledger as l
group by l.source;

comment on view conservation is
'The conservation law: all that was received is inserted, superseded, a duplicate, quarantined or ignored.';
comment on column conservation.source is
'Source, as configured.';
comment on column conservation.received is
'Payloads × recipients received.';
comment on column conservation.inserted is
'Inserted.';
comment on column conservation.superseded is
'Inserted in place of an identity copy.';
comment on column conservation.duplicates is
'In the warehouse already.';
comment on column conservation.quarantined is
'Quarantined on arrival.';
comment on column conservation.ignored is
'Recognised as no event or too old.';
comment on column conservation.unaccounted is
'received less the other five: 0, or events are lost or doubled.';
comment on column conservation.unbalanced_batches is
'Batches whose own row breaks the law.';
