-- grain: one row per (reason, source)
create or replace view quarantined_by_reason as
select
    q.reason,
    q.source,
    count(*) as payloads,
    sum(q.payload_bytes)::bigint as payload_bytes,
    min(q.received_at) as first_received_at,
    max(q.received_at) as last_received_at,
    arg_max(q.detail, q.received_at) as last_detail,
    arg_max(q.sha256, q.received_at) as last_sha256
from quarantine as q
group by q.reason, q.source;

comment on view quarantined_by_reason is
'What could not be understood, and why.';
comment on column quarantined_by_reason.reason is
'Why it was refused.';
comment on column quarantined_by_reason.source is
'Source it came through.';
comment on column quarantined_by_reason.payloads is
'Payloads in quarantine.';
comment on column quarantined_by_reason.payload_bytes is
'Their size in bytes.';
comment on column quarantined_by_reason.first_received_at is
'When the first arrived (UTC).';
comment on column quarantined_by_reason.last_received_at is
'When the last arrived (UTC).';
comment on column quarantined_by_reason.last_detail is
'What is wrong with the last.';
comment on column quarantined_by_reason.last_sha256 is
'SHA-256 of the last: what quarantine show takes.';
