-- grain: one row per (Delivery, recipient, attempt): each Delivery under all, and
-- under first_attempt or delayed where that is known
create or replace view latencies as
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
    coalesce(c.configuration_set, '(none)') as configuration_set_name,
    c.provider,
    epoch_ms(c.event_at) - epoch_ms(c.sent_at) as delivery_ms,
    c.processing_ms,
    unnest(
        case
            when x.is_delayed then ['all', 'delayed']
            when p.has_delivery_delay then ['all', 'first_attempt']
            else ['all']
        end
    ) as attempt
from countable_events as c
left join delivery_exceptions as x
    on
        c.event_type = x.paired_event_type
        and c.message_id = x.message_id
        and c.recipient = x.recipient
        and c.cohort_hour = x.cohort_hour
        and c.cohort_day = x.cohort_day
left join event_publication as p
    on
        c.account is not distinct from p.account
        and c.region is not distinct from p.region
        and c.configuration_set is not distinct from p.configuration_set
        and c.identity_without_set is not distinct from p.identity_without_set
where c.event_type = 'Delivery' and c.recipient is not null;

comment on view latencies is
'How long each Delivery took. Rows of attempt all are all Deliveries; the other two split them where DeliveryDelay is published.';
comment on column latencies.account is
'AWS account that sent.';
comment on column latencies.region is
'AWS region that sent.';
comment on column latencies.configuration_set is
'Configuration set of the messages.';
comment on column latencies.configuration_set_name is
'The configuration set, or (none): for labels.';
comment on column latencies.event_at is
'When it was delivered (UTC).';
comment on column latencies.event_hour is
'Full hour (UTC) of event_at.';
comment on column latencies.event_day is
'Day of event_at in report_time_zone.';
comment on column latencies.sent_at is
'When the message was sent (UTC).';
comment on column latencies.cohort_hour is
'Full hour (UTC) of sent_at.';
comment on column latencies.cohort_day is
'Day of sent_at in report_time_zone.';
comment on column latencies.provider is
'Mailbox provider of the recipient.';
comment on column latencies.delivery_ms is
'delivery.timestamp − mail.timestamp in milliseconds; may be negative.';
comment on column latencies.processing_ms is
'SES''s processingTimeMillis.';
comment on column latencies.attempt is
'first_attempt, delayed (the recipient had a DeliveryDelay), or all; the split exists only where DeliveryDelay is published.';
