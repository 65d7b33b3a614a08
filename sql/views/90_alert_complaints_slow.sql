-- grain: one row per (account, region, configuration_set)
create or replace view alert_complaints_slow as
with windowed as (
    select
        m.account,
        m.region,
        m.configuration_set,
        sum(m.fbl_complaints)::bigint as fbl_complaints_7d,
        sum(m.fbl_deliveries)::bigint as fbl_deliveries_7d
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
        when rate(w.fbl_complaints_7d, w.fbl_deliveries_7d) >= 0.003 then 2
        when rate(w.fbl_complaints_7d, w.fbl_deliveries_7d) >= 0.001 then 1
        else 0
    end::bigint as level,
    rate(w.fbl_complaints_7d, w.fbl_deliveries_7d) as complaint_rate_fbl_7d
from windowed as w
where w.fbl_deliveries_7d >= 5000 and w.fbl_complaints_7d >= 10;

comment on view alert_complaints_slow is
'Complaints about the mail sent in the last 7 days at least 0.1 % (critical 0.3 %), where 5,000 were delivered at providers with a feedback loop and 10 complained.';
comment on column alert_complaints_slow.account is
'AWS account that sent, or (none).';
comment on column alert_complaints_slow.region is
'AWS region that sent, or (none).';
comment on column alert_complaints_slow.configuration_set is
'Configuration set, or (none).';
comment on column alert_complaints_slow.level is
'0 is well, 1 a warning, 2 critical. A row is there only where there is volume enough to say.';
comment on column alert_complaints_slow.complaint_rate_fbl_7d is
'Complaint rate of the last 7 days of full hours.';
