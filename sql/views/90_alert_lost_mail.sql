-- grain: one row per (account, region, configuration_set)
create or replace view alert_lost_mail as
with windowed as (
    select
        m.account,
        m.region,
        m.configuration_set,
        greatest(0, sum(m.lost_attempts) - sum(m.known_outcomes))::bigint as lost_2d,
        sum(m.lost_attempts)::bigint as lost_attempts_2d
    from configuration_sets_hourly_by_send_cohort as m
    where
        m.cohort_hour >= date_trunc('hour', utc_now()) - interval 73 hour
        and m.cohort_hour < date_trunc('hour', utc_now()) - interval 25 hour
    group by m.account, m.region, m.configuration_set
)

select
    coalesce(w.account, '(none)') as account,
    coalesce(w.region, '(none)') as region,
    coalesce(w.configuration_set, '(none)') as configuration_set,
    case
        when rate(w.lost_2d, w.lost_attempts_2d) >= 0.05 then 2
        when rate(w.lost_2d, w.lost_attempts_2d) >= 0.01 then 1
        else 0
    end::bigint as level,
    rate(w.lost_2d, w.lost_attempts_2d) as lost_rate_2d
from windowed as w
where w.lost_attempts_2d >= 1000;

comment on view alert_lost_mail is
'Mail of the two days that ended a day ago without any outcome at least 1 % (critical 5 %), where 1,000 were attempted and Send and Delivery are published.';
comment on column alert_lost_mail.account is
'AWS account that sent, or (none).';
comment on column alert_lost_mail.region is
'AWS region that sent, or (none).';
comment on column alert_lost_mail.configuration_set is
'Configuration set, or (none).';
comment on column alert_lost_mail.level is
'0 is well, 1 a warning, 2 critical. A row is there only where there is volume enough to say.';
comment on column alert_lost_mail.lost_rate_2d is
'Lost rate of the cohorts 25 to 73 hours old.';
