-- grain: one row per (event_hour, account, region, configuration_set, link)
-- From events themselves: a Click counts by its type and rule alone, and what
-- event_tallies joins for other counts costs more than all of this.
create or replace view links_hourly_by_event_time as
select
    date_trunc('hour', e.event_at) as event_hour,
    e.account,
    e.region,
    e.configuration_set,
    coalesce(e.configuration_set, '(none)') as configuration_set_name,
    e.link,
    count(*) as clicks,
    count(*) filter (where e.machine_rule is not null) as machine_clicks
from events as e
where e.event_type = 'Click' and not e.is_simulator
group by
    date_trunc('hour', e.event_at),
    e.account,
    e.region,
    e.configuration_set,
    e.link;

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
