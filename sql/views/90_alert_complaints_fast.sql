-- grain: one row per (account, region, configuration_set)
create or replace view alert_complaints_fast as
with windowed as (
    select
        m.account,
        m.region,
        m.configuration_set,
        sum(m.fbl_complaints)::bigint as fbl_complaints_24h,
        sum(m.fbl_deliveries)::bigint as fbl_deliveries_24h
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
        when rate(w.fbl_complaints_24h, w.fbl_deliveries_24h) >= 0.01 then 2
        when rate(w.fbl_complaints_24h, w.fbl_deliveries_24h) >= 0.005 then 1
        else 0
    end::bigint as level,
    rate(w.fbl_complaints_24h, w.fbl_deliveries_24h) as complaint_rate_fbl_24h
from windowed as w
where w.fbl_deliveries_24h >= 1000 and w.fbl_complaints_24h >= 5;

comment on view alert_complaints_fast is
'Complaints about the mail sent in the last 24 hours at least 0.5 % (critical 1 %), where 1,000 were delivered at providers with a feedback loop and 5 complained.';
comment on column alert_complaints_fast.account is
'AWS account that sent, or (none).';
comment on column alert_complaints_fast.region is
'AWS region that sent, or (none).';
comment on column alert_complaints_fast.configuration_set is
'Configuration set, or (none).';
comment on column alert_complaints_fast.level is
'0 is well, 1 a warning, 2 critical. A row is there only where there is volume enough to say.';
comment on column alert_complaints_fast.complaint_rate_fbl_24h is
'Complaint rate of the last 24 full hours.';
