-- grain: one row per (event_hour, account, region, configuration_set, link)
create or replace view links_hourly_by_event_time as
select
    t.event_hour,
    t.account,
    t.region,
    t.configuration_set,
    coalesce(t.configuration_set, '(none)') as configuration_set_name,
    t.link,
    sum(t.clicks)::bigint as clicks,
    sum(t.machine_clicks)::bigint as machine_clicks
from event_tallies as t
where t.event_type = 'Click'
group by
    t.event_hour,
    t.account,
    t.region,
    t.configuration_set,
    t.link;

comment on view links_hourly_by_event_time is
'Clicks by link. Unique clicks are none of a link: a reader may click several.';
comment on column links_hourly_by_event_time.event_hour is
'Full hour (UTC) of the event.';
comment on column links_hourly_by_event_time.account is
'AWS account that sent.';
comment on column links_hourly_by_event_time.region is
'AWS region that sent.';
comment on column links_hourly_by_event_time.configuration_set is
'Configuration set of the message.';
comment on column links_hourly_by_event_time.configuration_set_name is
'The configuration set, or (none): for labels.';
comment on column links_hourly_by_event_time.link is
'The link, as the mail had it.';
comment on column links_hourly_by_event_time.clicks is
'Clicks, all of them.';
comment on column links_hourly_by_event_time.machine_clicks is
'Clicks by machines.';
