-- grain: one row per Delivery to one recipient
create or replace view delivery_times as
select
    c.event_at,
    c.event_hour,
    c.event_day,
    c.sent_at,
    c.cohort_hour,
    c.cohort_day,
    c.account,
    c.region,
    c.configuration_set,
    c.configuration_set_name,
    c.own_identity,
    c.identity_without_set,
    c.source,
    c.from_domain,
    c.provider,
    delivery_ms(c.event_at, c.sent_at) as delivery_ms,
    c.processing_ms,
    coalesce(x.is_delayed and is_near_sending(c.event_at, c.sent_at), false)
        as is_delayed
from countable_events as c
left join delivery_exceptions as x
    on
        c.event_type = x.paired_event_type
        and c.message_id = x.message_id
        and c.recipient = x.recipient
        and c.cohort_hour = x.cohort_hour
        and c.cohort_day = x.cohort_day
where c.event_type = 'Delivery' and c.recipient is not null;

comment on view delivery_times is
'How long each Delivery took, and whether a DeliveryDelay put it off.';
comment on column delivery_times.event_at is
'When it was delivered (UTC).';
comment on column delivery_times.event_hour is
'Full hour (UTC) of event_at.';
comment on column delivery_times.event_day is
'Day of event_at in report_time_zone.';
comment on column delivery_times.sent_at is
'When the message was sent (UTC).';
comment on column delivery_times.cohort_hour is
'Full hour (UTC) of sent_at.';
comment on column delivery_times.cohort_day is
'Day of sent_at in report_time_zone.';
comment on column delivery_times.account is
'AWS account that sent.';
comment on column delivery_times.region is
'AWS region that sent.';
comment on column delivery_times.configuration_set is
'Configuration set of the message.';
comment on column delivery_times.configuration_set_name is
'The configuration set, or (none): for labels.';
comment on column delivery_times.own_identity is
'sourceArn''s identity; NULL where the event names none.';
comment on column delivery_times.identity_without_set is
'The identity where the message has no configuration set.';
comment on column delivery_times.source is
'Address the message was sent from.';
comment on column delivery_times.from_domain is
'Domain of the From address.';
comment on column delivery_times.provider is
'Mailbox provider of the recipient.';
comment on column delivery_times.delivery_ms is
'delivery.timestamp − mail.timestamp in milliseconds; may be negative.';
comment on column delivery_times.processing_ms is
'SES''s processingTimeMillis.';
comment on column delivery_times.is_delayed is
'Whether the recipient had a DeliveryDelay, whichever came first, and the Delivery is near its sending: from an hour before to 24 hours after.';
