-- grain: one row per (account, region, configuration_set)
create or replace view alert_latency as
with windowed as (
    select
        m.account,
        m.region,
        m.configuration_set,
        sum(m.deliveries)::bigint as deliveries_6h,
        sum(m.up_to_1h + m.up_to_6h + m.over_6h)::bigint as slow_6h
    from delivery_times_hourly_by_event_time as m
    where
        m.event_hour >= date_trunc('hour', utc_now()) - interval 6 hour
        and m.event_hour < date_trunc('hour', utc_now())
    group by m.account, m.region, m.configuration_set
)

select
    coalesce(w.account, '(none)') as account,
    coalesce(w.region, '(none)') as region,
    coalesce(w.configuration_set, '(none)') as configuration_set,
    case
        when rate(w.slow_6h, w.deliveries_6h) >= 0.20 then 2
        when rate(w.slow_6h, w.deliveries_6h) >= 0.05 then 1
        else 0
    end::bigint as level,
    rate(w.slow_6h, w.deliveries_6h) as slow_rate_6h
from windowed as w
where w.deliveries_6h >= 200;

comment on view alert_latency is
'Deliveries of the last 6 hours that took longer than 10 minutes at least 5 % (critical 20 %), where 200 were delivered.';
comment on column alert_latency.account is
'AWS account that sent, or (none).';
comment on column alert_latency.region is
'AWS region that sent, or (none).';
comment on column alert_latency.configuration_set is
'Configuration set, or (none).';
comment on column alert_latency.level is
'0 is well, 1 a warning, 2 critical. A row is there only where there is volume enough to say.';
comment on column alert_latency.slow_rate_6h is
'Share that took longer than 10 minutes.';
