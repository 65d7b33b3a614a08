-- grain: one row per (message_id, recipient) outside the mailbox simulator
create or replace view message_recipients as
with states as (
    select
        c.message_id,
        c.recipient,
        c.cohort_hour,
        any_value(c.account) as account,
        any_value(c.region) as region,
        any_value(c.configuration_set) as configuration_set,
        any_value(c.provider) as provider,
        min(c.sent_at) as sent_at,
        max(c.event_at) as last_event_at,
        max(
            case
                when c.complaint_kind = 'complaint' and not c.is_ambiguous then 10
                when c.bounce_kind = 'hard' then 9
                when c.bounce_kind = 'undetermined' then 8
                when c.bounce_kind = 'soft' then 7
                when 'suppressed' in (c.bounce_kind, c.complaint_kind) then 6
                when c.event_type in ('Reject', 'Rendering Failure') then 5
                when c.event_type = 'Delivery' then 4
                when c.event_type = 'DeliveryDelay' then 3
                when c.event_type = 'Send' then 2
                else 1
            end
        ) as severity
    from countable_events as c
    where c.recipient is not null
    group by c.message_id, c.recipient, c.cohort_hour
)

select
    s.message_id,
    s.recipient,
    s.account,
    s.region,
    s.configuration_set,
    coalesce(s.configuration_set, '(none)') as configuration_set_name,
    s.provider,
    s.sent_at,
    s.cohort_hour,
    s.last_event_at,
    case s.severity
        when 10 then 'complained'
        when 9 then 'bounced hard'
        when 8 then 'bounced undetermined'
        when 7 then 'bounced soft'
        when 6 then 'suppressed'
        when 5 then 'rejected or not rendered'
        when 4 then 'delivered'
        when 3 then 'delayed'
        when 2 then 'sent'
        else 'unknown'
    end as state
from states as s;

comment on view message_recipients is
'What became of each recipient of a message: the most severe outcome seen, in whatever order the events came.';
comment on column message_recipients.message_id is
'SES''s message id.';
comment on column message_recipients.recipient is
'The normalised address.';
comment on column message_recipients.account is
'AWS account that sent.';
comment on column message_recipients.region is
'AWS region that sent.';
comment on column message_recipients.configuration_set is
'Configuration set of the message.';
comment on column message_recipients.configuration_set_name is
'The configuration set, or (none): for labels.';
comment on column message_recipients.provider is
'Mailbox provider of the recipient.';
comment on column message_recipients.sent_at is
'When the message was sent (UTC).';
comment on column message_recipients.cohort_hour is
'Full hour (UTC) of sending: narrow by it.';
comment on column message_recipients.last_event_at is
'When the last event of this recipient happened (UTC).';
comment on column message_recipients.state is
'complained, bounced hard, bounced undetermined, bounced soft, suppressed, rejected or not rendered, delivered, delayed, sent; unknown where only an Open, a Click, an automatic reply or the like was seen. A complaint that names several possible complainers makes nobody complained.';
