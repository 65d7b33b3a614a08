-- grain: one row per (event_hour, account, region, configuration_set, provider)
-- From events themselves: latencies looks for each Delivery's delays, which make no
-- difference here.
create or replace view delivery_times_hourly_by_event_time as
with deliveries as (
    select
        date_trunc('hour', e.event_at) as event_hour,
        e.account,
        e.region,
        e.configuration_set,
        e.provider,
        epoch_ms(e.event_at) - epoch_ms(e.sent_at) as delivery_ms
    from events as e
    where
        e.event_type = 'Delivery'
        and not e.is_simulator
        and e.recipient is not null
)

select
    d.event_hour,
    d.account,
    d.region,
    d.configuration_set,
    coalesce(d.configuration_set, '(none)') as configuration_set_name,
    d.provider,
    count(*) as deliveries,
    count(*) filter (where d.delivery_ms <= 1000) as up_to_1s,
    count(*) filter (where d.delivery_ms > 1000 and d.delivery_ms <= 5000) as up_to_5s,
    count(*) filter (
        where d.delivery_ms > 5000 and d.delivery_ms <= 30000
    ) as up_to_30s,
    count(*) filter (
        where d.delivery_ms > 30000 and d.delivery_ms <= 120000
    ) as up_to_2m,
    count(*) filter (
        where d.delivery_ms > 120000 and d.delivery_ms <= 600000
    ) as up_to_10m,
    count(*) filter (
        where d.delivery_ms > 600000 and d.delivery_ms <= 3600000
    ) as up_to_1h,
    count(*) filter (
        where d.delivery_ms > 3600000 and d.delivery_ms <= 21600000
    ) as up_to_6h,
    count(*) filter (where d.delivery_ms > 21600000) as over_6h,
    count(*) filter (where d.delivery_ms <= 120000) as within_2m
from deliveries as d
group by d.event_hour, d.account, d.region, d.configuration_set, d.provider;

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
