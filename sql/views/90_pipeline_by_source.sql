-- grain: one row per (source)
create or replace view pipeline_by_source as
select
    l.source,
    count(*) as batches,
    sum(l.payloads)::bigint as payloads,
    sum(l.received)::bigint as received,
    sum(l.inserted)::bigint as inserted,
    sum(l.superseded)::bigint as superseded,
    sum(l.duplicates)::bigint as duplicates,
    sum(l.quarantined)::bigint as quarantined,
    sum(l.ignored)::bigint as ignored,
    max(l.last_received_at) as last_received_at,
    max(l.committed_at) as last_committed_at
from ledger as l
group by l.source;

comment on view pipeline_by_source is
'What came through each source.';
comment on column pipeline_by_source.source is
'Source, as configured.';
comment on column pipeline_by_source.batches is
'Batches committed.';
comment on column pipeline_by_source.payloads is
'Payloads received.';
comment on column pipeline_by_source.received is
'Payloads × recipients received.';
comment on column pipeline_by_source.inserted is
'Of those, inserted.';
comment on column pipeline_by_source.superseded is
'Of those, inserted by event publishing where an identity copy had to give way.';
comment on column pipeline_by_source.duplicates is
'Of those, in the warehouse already.';
comment on column pipeline_by_source.quarantined is
'Of those, quarantined on arrival.';
comment on column pipeline_by_source.ignored is
'Of those, recognised as no event or too old.';
comment on column pipeline_by_source.last_received_at is
'When the last payload was received (UTC).';
comment on column pipeline_by_source.last_committed_at is
'When the last batch was committed (UTC).';
