-- grain: one row per (event_hour, account, region, configuration_set, provider,
-- event_type, status, response)
create or replace view responses_hourly_by_event_time as
select
    date_trunc('hour', e.event_at) as event_hour,
    e.account,
    e.region,
    e.configuration_set,
    coalesce(e.configuration_set, '(none)') as configuration_set_name,
    e.provider,
    e.event_type,
    e.status,
    response_shape(e.diagnostic_code) as response,
    count(*) as recipients
from events as e
where
    e.event_type in ('Bounce', 'DeliveryDelay')
    and not e.is_simulator
    and e.recipient is not null
    and e.diagnostic_code is not null
    -- of what was suppressed, SES itself says so
    and not is_suppression(e.bounce_sub_type)
group by
    date_trunc('hour', e.event_at),
    e.account,
    e.region,
    e.configuration_set,
    e.provider,
    e.event_type,
    e.status,
    response_shape(e.diagnostic_code);

comment on view responses_hourly_by_event_time is
'What receivers answered to bounced and delayed mail, without what differs from one recipient to the next. Suppressed mail, which no receiver saw, is left out.';
comment on column responses_hourly_by_event_time.event_hour is
'Full hour (UTC) of the event.';
comment on column responses_hourly_by_event_time.account is
'AWS account that sent.';
comment on column responses_hourly_by_event_time.region is
'AWS region that sent.';
comment on column responses_hourly_by_event_time.configuration_set is
'Configuration set of the message.';
comment on column responses_hourly_by_event_time.configuration_set_name is
'The configuration set, or (none): for labels.';
comment on column responses_hourly_by_event_time.provider is
'Mailbox provider of the recipient.';
comment on column responses_hourly_by_event_time.event_type is
'Bounce or DeliveryDelay.';
comment on column responses_hourly_by_event_time.status is
'Enhanced status code (RFC 3463).';
comment on column responses_hourly_by_event_time.response is
'The receiver''s words; addresses, links, numbers and ids are replaced by what they are.';
comment on column responses_hourly_by_event_time.recipients is
'Recipients that got this response.';
