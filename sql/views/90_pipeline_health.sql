-- grain: one row
create or replace view pipeline_health as
with newest as (
    -- stamps in the future or from before SES existed are somebody's clock, not news
    select
        count(*) as events,
        max(e.event_at) filter (
            where e.event_at between timestamp '2011-01-01' and utc_now()
        ) as newest_event_at,
        arg_max(e.received_at, e.event_at) filter (
            where e.event_at between timestamp '2011-01-01' and utc_now()
        ) as newest_event_received_at,
        max(e.received_at) as newest_received_at,
        count(*) filter (
            where e.event_at not between timestamp '2011-01-01' and utc_now()
        ) as implausible_event_times
    from events as e
),

batches as (
    select
        count(*) as batches,
        max(l.committed_at) as newest_committed_at,
        coalesce(sum(l.payloads), 0)::bigint as payloads,
        coalesce(sum(l.received), 0)::bigint as received,
        coalesce(sum(l.inserted), 0)::bigint as inserted,
        coalesce(sum(l.superseded), 0)::bigint as superseded,
        coalesce(sum(l.duplicates), 0)::bigint as duplicates,
        coalesce(sum(l.quarantined), 0)::bigint as quarantined,
        coalesce(sum(l.ignored), 0)::bigint as ignored
    from ledger as l
),

refused as (
    select count(*) as payloads_in_quarantine
    from quarantine
),

waiters as (
    select count(*) as events_waiting_for_send
    from waiting
)

select
    n.newest_event_at,
    n.newest_received_at,
    b.newest_committed_at,
    epoch(utc_now() - n.newest_event_at) as newest_event_age_secs,
    epoch(utc_now() - b.newest_committed_at) as newest_commit_age_secs,
    epoch(n.newest_event_received_at - n.newest_event_at) as arrival_lag_secs,
    n.events,
    n.implausible_event_times,
    w.events_waiting_for_send,
    q.payloads_in_quarantine,
    b.batches,
    b.payloads,
    b.received,
    b.inserted,
    b.superseded,
    b.duplicates,
    b.quarantined,
    b.ignored
from newest as n
cross join batches as b
cross join refused as q
cross join waiters as w;

comment on view pipeline_health is
'Whether events come in, how late, and what became of all that came.';
comment on column pipeline_health.newest_event_at is
'When the newest event happened (UTC), without stamps in the future or before 2011.';
comment on column pipeline_health.newest_received_at is
'When the newest row was received (UTC).';
comment on column pipeline_health.newest_committed_at is
'When the newest batch was committed (UTC).';
comment on column pipeline_health.newest_event_age_secs is
'Seconds since the newest event.';
comment on column pipeline_health.newest_commit_age_secs is
'Seconds since the newest batch.';
comment on column pipeline_health.arrival_lag_secs is
'Seconds between the newest event and its receipt: a backfill of older ones changes nothing here.';
comment on column pipeline_health.events is
'Rows in events, simulator included.';
comment on column pipeline_health.implausible_event_times is
'Rows stamped in the future or before 2011.';
comment on column pipeline_health.events_waiting_for_send is
'Rows that wait for their message''s Send.';
comment on column pipeline_health.payloads_in_quarantine is
'Payloads in quarantine now.';
comment on column pipeline_health.batches is
'Batches committed.';
comment on column pipeline_health.payloads is
'Payloads received.';
comment on column pipeline_health.received is
'Payloads × recipients received.';
comment on column pipeline_health.inserted is
'Of those, inserted.';
comment on column pipeline_health.superseded is
'Of those, inserted by event publishing where an identity copy had to give way.';
comment on column pipeline_health.duplicates is
'Of those, in the warehouse already.';
comment on column pipeline_health.quarantined is
'Of those, quarantined on arrival.';
comment on column pipeline_health.ignored is
'Of those, recognised as no event or too old.';
