-- grain: one row per (committed_hour, source)
create or replace view pipeline_hourly as
select
    date_trunc('hour', l.committed_at) as committed_hour,
    l.source,
    count(*) as batches,
    sum(l.payloads)::bigint as payloads,
    sum(l.received)::bigint as received,
    sum(l.inserted)::bigint as inserted,
    sum(l.superseded)::bigint as superseded,
    sum(l.duplicates)::bigint as duplicates,
    sum(l.quarantined)::bigint as quarantined,
    sum(l.ignored)::bigint as ignored,
    sum(l.archive_bytes)::bigint as archive_bytes
from ledger as l
group by date_trunc('hour', l.committed_at), l.source;

comment on view pipeline_hourly is
'What came through each source, hour by hour.';
comment on column pipeline_hourly.committed_hour is
'Full hour (UTC) in which the batches were committed.';
comment on column pipeline_hourly.source is
'Source, as configured.';
comment on column pipeline_hourly.batches is
'Batches committed.';
comment on column pipeline_hourly.payloads is
'Payloads received.';
comment on column pipeline_hourly.received is
'Payloads × recipients received.';
comment on column pipeline_hourly.inserted is
'Of those, inserted.';
comment on column pipeline_hourly.superseded is
'Of those, inserted in place of an identity copy.';
comment on column pipeline_hourly.duplicates is
'Of those, in the warehouse already.';
comment on column pipeline_hourly.quarantined is
'Of those, quarantined on arrival.';
comment on column pipeline_hourly.ignored is
'Of those, recognised as no event or too old.';
comment on column pipeline_hourly.archive_bytes is
'Bytes that their raw payloads take in the archive.';
