-- grain: one row per (message_id, recipient, paired_event_type) whose common event, a
-- Send or a Delivery, counts differently because of a rare one
create or replace view delivery_exceptions as
-- 1. Sends that were no attempt, or are no mail in AWS's bounce rate
select
    e.message_id,
    e.recipient,
    'Send' as paired_event_type,
    date_trunc('hour', e.sent_at) as cohort_hour,
    report_day(e.sent_at) as cohort_day,
    bool_or(
        coalesce(e.bounce_sub_type, e.complaint_sub_type, '') != 'Suppressed'
        and e.event_type in ('Bounce', 'Complaint')
    ) as is_suppressed_by_user,
    null::timestamp as bounced_at,
    null::uuid as bounce_key,
    null::timestamp as bounce_sent_at,
    false as is_delayed
from events as e
where
    e.event_type in ('Reject', 'Rendering Failure', 'Bounce', 'Complaint')
    and not e.is_simulator
    and e.recipient is not null
    and (
        e.event_type in ('Reject', 'Rendering Failure')
        or is_suppression(e.bounce_sub_type)
        or is_suppression(e.complaint_sub_type)
    )
group by
    e.message_id,
    e.recipient,
    date_trunc('hour', e.sent_at),
    report_day(e.sent_at)
union all
-- 2. Deliveries that bounced as well, or were delayed before
select
    x.message_id,
    x.recipient,
    'Delivery' as paired_event_type,
    x.cohort_hour,
    x.cohort_day,
    false as is_suppressed_by_user,
    max(x.bounced_at) as bounced_at,
    max(x.bounce_key) as bounce_key,
    max(x.bounce_sent_at) as bounce_sent_at,
    bool_or(x.is_delayed) as is_delayed
from (
    select
        b.message_id,
        b.recipient,
        b.cohort_hour,
        report_day(b.sent_at) as cohort_day,
        b.event_at as bounced_at,
        b.event_key as bounce_key,
        b.sent_at as bounce_sent_at,
        false as is_delayed
    from bounced_recipients as b
    union all
    select
        e.message_id,
        e.recipient,
        date_trunc('hour', e.sent_at) as cohort_hour,
        report_day(e.sent_at) as cohort_day,
        null as bounced_at,
        null as bounce_key,
        null as bounce_sent_at,
        true as is_delayed
    from events as e
    where
        e.event_type = 'DeliveryDelay'
        and not e.is_simulator
        and e.recipient is not null
) as x
group by x.message_id, x.recipient, x.cohort_hour, x.cohort_day;

comment on view delivery_exceptions is
'The rare side of recipients: what makes a Send no attempt and a Delivery no acceptance. Small, so that the common side streams past it.';
comment on column delivery_exceptions.message_id is
'SES''s message id.';
comment on column delivery_exceptions.recipient is
'The normalised address.';
comment on column delivery_exceptions.paired_event_type is
'Type of the event that counts differently: Send or Delivery.';
comment on column delivery_exceptions.cohort_hour is
'Full hour (UTC) of sending.';
comment on column delivery_exceptions.cohort_day is
'Day of sending in report_time_zone.';
comment on column delivery_exceptions.is_suppressed_by_user is
'Of a Send: whether anything but SES''s global list suppressed it.';
comment on column delivery_exceptions.bounced_at is
'Of a Delivery: when the recipient''s first bounce that counts happened (UTC).';
comment on column delivery_exceptions.bounce_key is
'Of a Delivery: key of that bounce.';
comment on column delivery_exceptions.bounce_sent_at is
'Of a Delivery: when the message was sent, as that bounce says (UTC).';
comment on column delivery_exceptions.is_delayed is
'Of a Delivery: whether the recipient had a DeliveryDelay.';
