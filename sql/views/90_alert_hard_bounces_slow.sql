-- grain: one row per (account, region, configuration_set)
create or replace view alert_hard_bounces_slow as
with windowed as (
    select
        m.account,
        m.region,
        m.configuration_set,
        sum(m.hard_bounces)::bigint as hard_bounces_7d,
        sum(m.attempted_or_outcomes)::bigint as attempted_or_outcomes_7d
    from configuration_sets_hourly_by_send_cohort as m
    where
        m.cohort_hour >= date_trunc('hour', utc_now()) - interval 168 hour
        and m.cohort_hour < date_trunc('hour', utc_now())
    group by m.account, m.region, m.configuration_set
)

select
    coalesce(w.account, '(none)') as account,
    coalesce(w.region, '(none)') as region,
    coalesce(w.configuration_set, '(none)') as configuration_set,
    case
        when rate(w.hard_bounces_7d, w.attempted_or_outcomes_7d) >= 0.05 then 2
        when rate(w.hard_bounces_7d, w.attempted_or_outcomes_7d) >= 0.02 then 1
        else 0
    end::bigint as level,
    rate(w.hard_bounces_7d, w.attempted_or_outcomes_7d) as hard_bounce_rate_7d
from windowed as w
where w.attempted_or_outcomes_7d >= 5000;

comment on view alert_hard_bounces_slow is
'Hard bounces of the mail sent in the last 7 days at least 2 % (critical 5 %), where 5,000 were attempted.';
comment on column alert_hard_bounces_slow.account is
'AWS account that sent, or (none).';
comment on column alert_hard_bounces_slow.region is
'AWS region that sent, or (none).';
comment on column alert_hard_bounces_slow.configuration_set is
'Configuration set, or (none).';
comment on column alert_hard_bounces_slow.level is
'0 is well, 1 a warning, 2 critical. A row is there only where there is volume enough to say.';
comment on column alert_hard_bounces_slow.hard_bounce_rate_7d is
'Hard bounce rate of the last 7 days of full hours.';
