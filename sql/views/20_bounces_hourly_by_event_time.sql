-- grain: one row per (event_hour, account, region, configuration_set, identity,
-- provider, bounce_kind, bounce_class, bounce_type, bounce_sub_type, status)
create or replace view bounces_hourly_by_event_time as
select
    c.event_hour,
    c.account,
    c.region,
    c.configuration_set,
    coalesce(c.configuration_set, '(none)') as configuration_set_name,
    c.identity,
    c.provider,
    c.bounce_kind,
    c.bounce_class,
    c.bounce_type,
    c.bounce_sub_type,
    c.status,
    count(*) as bounces
from countable_events as c
where c.event_type = 'Bounce' and c.recipient is not null
group by
    c.event_hour,
    c.account,
    c.region,
    c.configuration_set,
    c.identity,
    c.provider,
    c.bounce_kind,
    c.bounce_class,
    c.bounce_type,
    c.bounce_sub_type,
    c.status;

comment on view bounces_hourly_by_event_time is
'Recipients of Bounce events by what the bounce is, at its own time; kinds suppressed and auto_reply are no bounces that count.';
comment on column bounces_hourly_by_event_time.event_hour is
'Full hour (UTC) of the event.';
comment on column bounces_hourly_by_event_time.account is
'AWS account that sent.';
comment on column bounces_hourly_by_event_time.region is
'AWS region that sent.';
comment on column bounces_hourly_by_event_time.configuration_set is
'Configuration set of the message.';
comment on column bounces_hourly_by_event_time.configuration_set_name is
'The configuration set, or (none): for labels.';
comment on column bounces_hourly_by_event_time.identity is
'Sending identity: sourceArn''s, else what is known of the source address, else its domain.';
comment on column bounces_hourly_by_event_time.provider is
'Mailbox provider of the recipient.';
comment on column bounces_hourly_by_event_time.bounce_kind is
'hard, soft, undetermined, or suppressed and auto_reply, which are no bounces that count.';
comment on column bounces_hourly_by_event_time.bounce_class is
'What the bounce is about: invalid_recipient, mailbox_full, policy, reputation, content, ….';
comment on column bounces_hourly_by_event_time.bounce_type is
'Permanent, Transient or Undetermined, as SES says.';
comment on column bounces_hourly_by_event_time.bounce_sub_type is
'SES''s bounce subtype.';
comment on column bounces_hourly_by_event_time.status is
'Enhanced status code (RFC 3463).';
comment on column bounces_hourly_by_event_time.bounces is
'Recipients.';
