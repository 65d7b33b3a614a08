-- grain: one row, or none
create or replace view alert_lag as
with recent as (
    select
        count(*) as events_1h,
        min(epoch(e.received_at - e.event_at)) as lag_secs
    from events as e
    where
        e.received_at >= utc_now() - interval 1 hour
        and e.event_at <= e.received_at
        -- no queue keeps a message longer: what is older is a backfill
        and e.event_at >= e.received_at - interval 14 day
)

select
    case
        when r.lag_secs >= 7200 then 2
        when r.lag_secs >= 900 then 1
        else 0
    end::bigint as level,
    r.lag_secs,
    r.events_1h
from recent as r
where r.events_1h > 0;

comment on view alert_lag is
'Even the freshest event received in the last hour was 15 minutes old (critical two hours): a queue is behind. A backfill of what is older than 14 days is no lag.';
comment on column alert_lag.level is
'0 is well, 1 a warning, 2 critical. No row where nothing of the last 14 days was received in the last hour.';
comment on column alert_lag.lag_secs is
'Seconds between the event and its receipt, of the freshest.';
comment on column alert_lag.events_1h is
'Rows received in the last hour, of events of the 14 days before.';
