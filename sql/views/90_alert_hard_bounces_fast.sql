-- grain: one row per (account, region, configuration_set)
create or replace view alert_hard_bounces_fast as
with windowed as (
    select
        m.account,
        m.region,
        m.configuration_set,
        sum(m.hard_bounces) filter (
            where m.cohort_hour >= date_trunc('hour', utc_now()) - interval 1 hour
        )::bigint as hard_bounces_1h,
        sum(m.attempted_or_outcomes) filter (
            where m.cohort_hour >= date_trunc('hour', utc_now()) - interval 1 hour
        )::bigint as attempted_or_outcomes_1h,
        sum(m.hard_bounces)::bigint as hard_bounces_24h,
        sum(m.attempted_or_outcomes)::bigint as attempted_or_outcomes_24h
    from configuration_sets_hourly_by_send_cohort as m
    where
        m.cohort_hour >= date_trunc('hour', utc_now()) - interval 24 hour
        and m.cohort_hour < date_trunc('hour', utc_now())
    group by m.account, m.region, m.configuration_set
)

select
    coalesce(w.account, '(none)') as account,
    coalesce(w.region, '(none)') as region,
    coalesce(w.configuration_set, '(none)') as configuration_set,
    case
        when
            rate(w.hard_bounces_1h, w.attempted_or_outcomes_1h) >= 0.10
            and rate(w.hard_bounces_24h, w.attempted_or_outcomes_24h) >= 0.05
            then 2
        when
            rate(w.hard_bounces_1h, w.attempted_or_outcomes_1h) >= 0.05
            and rate(w.hard_bounces_24h, w.attempted_or_outcomes_24h) >= 0.025
            then 1
        else 0
    end::bigint as level,
    rate(w.hard_bounces_1h, w.attempted_or_outcomes_1h) as hard_bounce_rate_1h,
    rate(w.hard_bounces_24h, w.attempted_or_outcomes_24h) as hard_bounce_rate_24h
from windowed as w
where
    w.attempted_or_outcomes_1h >= 200
    and w.attempted_or_outcomes_24h >= 1000
    and w.hard_bounces_1h >= 5;

comment on view alert_hard_bounces_fast is
'Hard bounces of the mail sent in the last full hour at least 5 % (critical 10 %), and of the last 24 hours at least 2.5 % (5 %); where 200 and 1,000 were attempted and 5 bounced.';
comment on column alert_hard_bounces_fast.account is
'AWS account that sent, or (none).';
comment on column alert_hard_bounces_fast.region is
'AWS region that sent, or (none).';
comment on column alert_hard_bounces_fast.configuration_set is
'Configuration set, or (none).';
comment on column alert_hard_bounces_fast.level is
'0 is well, 1 a warning, 2 critical. A row is there only where there is volume enough to say.';
comment on column alert_hard_bounces_fast.hard_bounce_rate_1h is
'Hard bounce rate of the last full hour.';
comment on column alert_hard_bounces_fast.hard_bounce_rate_24h is
'The same of the last 24 full hours.';
