-- grain: one row per (event_hour, account, region, configuration_set, provider)
create or replace view delivery_times_hourly_by_event_time as
select
    l.event_hour,
    l.account,
    l.region,
    l.configuration_set,
    coalesce(l.configuration_set, '(none)') as configuration_set_name,
    l.provider,
    count(*) as deliveries,
    count(*) filter (where l.delivery_ms <= 1000) as up_to_1s,
    count(*) filter (where l.delivery_ms > 1000 and l.delivery_ms <= 5000) as up_to_5s,
    count(*) filter (
        where l.delivery_ms > 5000 and l.delivery_ms <= 30000
    ) as up_to_30s,
    count(*) filter (
        where l.delivery_ms > 30000 and l.delivery_ms <= 120000
    ) as up_to_2m,
    count(*) filter (
        where l.delivery_ms > 120000 and l.delivery_ms <= 600000
    ) as up_to_10m,
    count(*) filter (
        where l.delivery_ms > 600000 and l.delivery_ms <= 3600000
    ) as up_to_1h,
    count(*) filter (
        where l.delivery_ms > 3600000 and l.delivery_ms <= 21600000
    ) as up_to_6h,
    count(*) filter (where l.delivery_ms > 21600000) as over_6h,
    count(*) filter (where l.delivery_ms <= 120000) as within_2m
from latencies as l
where l.attempt = 'all'
group by l.event_hour, l.account, l.region, l.configuration_set, l.provider;

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
'Mailbox provider of the recipient.';
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
