-- grain: one row per (source)
create or replace view alert_quarantine_growth as
with windowed as (
    select
        p.source,
        sum(p.payloads)::bigint as payloads_24h,
        sum(p.quarantined)::bigint as quarantined_24h
    from pipeline_hourly as p
    where p.committed_hour >= date_trunc('hour', utc_now()) - interval 24 hour
    group by p.source
)

select
    w.source,
    case
        when
            w.quarantined_24h >= 10 and rate(w.quarantined_24h, w.payloads_24h) >= 0.05
            then 2
        when
            w.quarantined_24h >= 10 and rate(w.quarantined_24h, w.payloads_24h) >= 0.005
            then 1
        else 0
    end::bigint as level,
    w.quarantined_24h,
    rate(w.quarantined_24h, w.payloads_24h) as quarantined_rate_24h
from windowed as w
where w.payloads_24h > 0;

comment on view alert_quarantine_growth is
'Payloads of the last 24 hours that went into quarantine at least 0.5 % (critical 5 %), and ten.';
comment on column alert_quarantine_growth.source is
'Source, as configured.';
comment on column alert_quarantine_growth.level is
'0 is well, 1 a warning, 2 critical. Only for sources that brought payloads.';
comment on column alert_quarantine_growth.quarantined_24h is
'Payloads quarantined on arrival since 24 full hours ago.';
comment on column alert_quarantine_growth.quarantined_rate_24h is
'Their share.';
