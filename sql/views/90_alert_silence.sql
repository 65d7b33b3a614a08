-- grain: one row per (source)
create or replace view alert_silence as
with hours as (
    select
        p.source,
        count(distinct p.committed_hour) filter (
            where p.committed_hour < date_trunc('hour', utc_now()) - interval 6 hour
        ) as busy_hours,
        max(p.committed_hour) as last_hour
    from pipeline_hourly as p
    where
        p.committed_hour >= date_trunc('hour', utc_now()) - interval 174 hour
        and p.payloads > 0
    group by p.source
)

select
    h.source,
    case
        when h.last_hour < date_trunc('hour', utc_now()) - interval 6 hour then 2
        when h.last_hour < date_trunc('hour', utc_now()) - interval 2 hour then 1
        else 0
    end::bigint as level,
    h.last_hour,
    h.busy_hours
from hours as h
where h.busy_hours >= 84;

comment on view alert_silence is
'A source that brought payloads in at least half of the hours of a week has brought none for two full hours (critical six).';
comment on column alert_silence.source is
'Source, as configured.';
comment on column alert_silence.level is
'0 is well, 1 a warning, 2 critical. Only for sources that are usually heard.';
comment on column alert_silence.last_hour is
'Last hour (UTC) with payloads.';
comment on column alert_silence.busy_hours is
'Hours with payloads of the 168 that ended six hours ago.';
