-- grain: one row per (account, region, configuration_set)
create or replace view alert_delays as
with windowed as (
    select
        m.account,
        m.region,
        m.configuration_set,
        sum(m.delays)::bigint as delays_6h,
        sum(m.delay_attempts)::bigint as delay_attempts_6h
    from configuration_sets_hourly_by_send_cohort as m
    where
        m.cohort_hour >= date_trunc('hour', utc_now()) - interval 6 hour
        and m.cohort_hour < date_trunc('hour', utc_now())
    group by m.account, m.region, m.configuration_set
)

select
    coalesce(w.account, '(none)') as account,
    coalesce(w.region, '(none)') as region,
    coalesce(w.configuration_set, '(none)') as configuration_set,
    case
        when rate(w.delays_6h, w.delay_attempts_6h) >= 0.15 then 2
        when rate(w.delays_6h, w.delay_attempts_6h) >= 0.05 then 1
        else 0
    end::bigint as level,
    rate(w.delays_6h, w.delay_attempts_6h) as delay_rate_6h
from windowed as w
where w.delay_attempts_6h >= 500 and w.delays_6h >= 20;

comment on view alert_delays is
'Delayed recipients of the mail sent in the last 6 hours at least 5 % (critical 15 %), where 500 were attempted, 20 delayed and DeliveryDelay is published.';
comment on column alert_delays.account is
'AWS account that sent, or (none).';
comment on column alert_delays.region is
'AWS region that sent, or (none).';
comment on column alert_delays.configuration_set is
'Configuration set, or (none).';
comment on column alert_delays.level is
'0 is well, 1 a warning, 2 critical. A row is there only where there is volume enough to say.';
comment on column alert_delays.delay_rate_6h is
'Delay rate of the last 6 full hours.';
