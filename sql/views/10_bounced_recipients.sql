-- grain: one row per (message_id, recipient) with a bounce that counts
create or replace view bounced_recipients as
with firsts as (
    select
        e.message_id,
        e.recipient,
        date_trunc('hour', e.sent_at) as cohort_hour,
        min(
            {
                'event_at': e.event_at,
                'event_key': e.event_key,
                'sent_at': e.sent_at
            }
        ) as first_bounce
    from events as e
    where
        e.event_type = 'Bounce'
        and not e.is_simulator
        and e.recipient is not null
        and bounce_kind_of(e.bounce_type, e.bounce_sub_type, e.is_auto_reply) in (
            'hard', 'soft', 'undetermined'
        )
    group by e.message_id, e.recipient, date_trunc('hour', e.sent_at)
)

select
    f.message_id,
    f.recipient,
    f.cohort_hour,
    f.first_bounce.event_at,
    f.first_bounce.event_key,
    f.first_bounce.sent_at
from firsts as f;

comment on view bounced_recipients is
'Recipients of a message with a bounce that counts, and the first such bounce.';
comment on column bounced_recipients.message_id is
'SES''s message id.';
comment on column bounced_recipients.recipient is
'The normalised address.';
comment on column bounced_recipients.cohort_hour is
'Full hour (UTC) of sending.';
comment on column bounced_recipients.event_at is
'When the first of its bounces happened (UTC).';
comment on column bounced_recipients.event_key is
'Key of the first of its bounces.';
comment on column bounced_recipients.sent_at is
'When the message was sent (UTC), as that bounce says.';
