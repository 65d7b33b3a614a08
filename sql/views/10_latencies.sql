-- grain: one row per (Delivery, recipient, attempt): each Delivery under all, and
-- under first_attempt or delayed where that is known
create or replace view latencies as
select
    d.event_at,
    d.event_hour,
    d.event_day,
    d.sent_at,
    d.cohort_hour,
    d.cohort_day,
    d.account,
    d.region,
    d.configuration_set,
    d.configuration_set_name,
    d.provider,
    d.delivery_ms,
    d.processing_ms,
    unnest(
        case
            when d.is_delayed then ['all', 'delayed']
            when p.has_delivery_delay then ['all', 'first_attempt']
            else ['all']
        end
    ) as attempt
from delivery_times as d
left join event_publication as p
    on
        d.account is not distinct from p.account
        and d.region is not distinct from p.region
        and d.configuration_set is not distinct from p.configuration_set
        and d.identity_without_set is not distinct from p.identity_without_set;

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
