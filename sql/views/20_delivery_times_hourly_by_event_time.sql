-- grain: one row per (event_hour, account, region, configuration_set, provider)
create or replace view delivery_times_hourly_by_event_time as
with counted as (
    select
        r.period,
        r.account,
        r.region,
        r.configuration_set,
        r.provider,
        r.at_most_ms,
        r.deliveries
    from rollup_delivery_times_hourly_by_event_time as r
    union all
    select
        date_trunc('hour', d.event_at) as period,
        d.account,
        d.region,
        d.configuration_set,
        hourly_provider(d.provider) as provider,
        latency_band_ms(delivery_ms(d.event_at, d.sent_at)) as at_most_ms,
        d.deliveries
    from rollup_delivery_deltas as d
)

select
    c.period as event_hour,
    c.account,
    c.region,
    c.configuration_set,
    coalesce(c.configuration_set, '(none)') as configuration_set_name,
    c.provider,
    sum(c.deliveries)::bigint as deliveries,
    coalesce(sum(c.deliveries) filter (where c.at_most_ms = 1000), 0)::bigint
        as up_to_1s,
    coalesce(sum(c.deliveries) filter (where c.at_most_ms = 5000), 0)::bigint
        as up_to_5s,
    coalesce(sum(c.deliveries) filter (where c.at_most_ms = 30000), 0)::bigint
        as up_to_30s,
    coalesce(sum(c.deliveries) filter (where c.at_most_ms = 120000), 0)::bigint
        as up_to_2m,
    coalesce(sum(c.deliveries) filter (where c.at_most_ms = 600000), 0)::bigint
        as up_to_10m,
    coalesce(sum(c.deliveries) filter (where c.at_most_ms = 3600000), 0)::bigint
        as up_to_1h,
    coalesce(sum(c.deliveries) filter (where c.at_most_ms = 21600000), 0)::bigint
        as up_to_6h,
    coalesce(sum(c.deliveries) filter (where c.at_most_ms is null), 0)::bigint
        as over_6h,
    coalesce(sum(c.deliveries) filter (where c.at_most_ms <= 120000), 0)::bigint
        as within_2m
from counted as c
group by c.period, c.account, c.region, c.configuration_set, c.provider
having sum(c.deliveries) > 0;

comment on view delivery_times_hourly_by_event_time is
'How long Deliveries took, in bands that add up.';
comment on column delivery_times_hourly_by_event_time.event_hour is
'Full hour (UTC) of the event.';
comment on column delivery_times_hourly_by_event_time.account is
'AWS account that sent.';
comment on column delivery_times_hourly_by_event_time.region is
'AWS region that sent.';
comment on column delivery_times_hourly_by_event_time.configuration_set is
'Configuration set of the message.';
comment on column delivery_times_hourly_by_event_time.configuration_set_name is
'The configuration set, or (none): for labels.';
comment on column delivery_times_hourly_by_event_time.provider is
'Mailbox provider of the recipient; (other) is all that are not listed.';
comment on column delivery_times_hourly_by_event_time.deliveries is
'Deliveries to one recipient each.';
comment on column delivery_times_hourly_by_event_time.up_to_1s is
'Deliveries that took up to 1s.';
comment on column delivery_times_hourly_by_event_time.up_to_5s is
'Deliveries that took up to 5s and longer than the column before.';
comment on column delivery_times_hourly_by_event_time.up_to_30s is
'Deliveries that took up to 30s and longer than the column before.';
comment on column delivery_times_hourly_by_event_time.up_to_2m is
'Deliveries that took up to 2m and longer than the column before.';
comment on column delivery_times_hourly_by_event_time.up_to_10m is
'Deliveries that took up to 10m and longer than the column before.';
comment on column delivery_times_hourly_by_event_time.up_to_1h is
'Deliveries that took up to 1h and longer than the column before.';
comment on column delivery_times_hourly_by_event_time.up_to_6h is
'Deliveries that took up to 6h and longer than the column before.';
comment on column delivery_times_hourly_by_event_time.over_6h is
'Deliveries that took longer than 6h.';
comment on column delivery_times_hourly_by_event_time.within_2m is
'Deliveries that took at most two minutes: the first four bands.';
