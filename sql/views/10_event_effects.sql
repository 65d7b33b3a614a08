-- grain: one row per (event_key) that holds a mark, repeats a Delivery, makes an
-- outcome as a bounce, or reports an authentication failure or a virus
create or replace view event_effects as
-- 1. marks: groups that count once
select
    m.event_key,
    date_trunc('hour', m.event_at) as event_hour,
    report_day(m.event_at) as event_day,
    date_trunc('hour', m.sent_at) as cohort_hour,
    report_day(m.sent_at) as cohort_day,
    bit_or(
        case m.kind
            when 'complaint' then 1
            when 'delay' then 2
            when 'open' then 4
            when 'click' then 8
            when 'engaged' then 16
            when 'human_open' then 32
            when 'human_click' then 64
            when 'human_engaged' then 128
            when 'repeat' then 1024
            else 0
        end::usmallint
    ) as effects
from marks as m
group by
    m.event_key,
    date_trunc('hour', m.event_at),
    report_day(m.event_at),
    date_trunc('hour', m.sent_at),
    report_day(m.sent_at)
union all
-- 2. bounces that no earlier Delivery of their recipient precedes
select
    b.event_key,
    date_trunc('hour', b.event_at) as event_hour,
    report_day(b.event_at) as event_day,
    b.cohort_hour,
    report_day(b.sent_at) as cohort_day,
    256::usmallint as effects
from bounced_recipients as b
where
    not exists (
        select 1
        from events as d
        where
            d.event_type = 'Delivery'
            and not d.is_simulator
            and d.message_id = b.message_id
            and d.recipient = b.recipient
            and date_trunc('hour', d.sent_at) = b.cohort_hour
            and is_near_sending(d.event_at, b.sent_at)
            and is_before(d.event_at, d.event_key, b.event_at, b.event_key)
    )
union all
-- 3. reports that are counted apart from complaints, one row a feedbackId (a producer
-- that gives none has one report a message and second)
select
    min({ 'event_at': c.event_at, 'event_key': c.event_key }).event_key as event_key,
    c.event_hour,
    c.event_day,
    c.cohort_hour,
    c.cohort_day,
    512::usmallint as effects
from countable_events as c
where c.complaint_kind in ('auth_failure', 'virus')
group by
    coalesce(
        nullif(c.feedback_id, ''),
        concat_ws(' ', c.message_id, date_trunc('second', c.event_at))
    ),
    c.event_hour,
    c.event_day,
    c.cohort_hour,
    c.cohort_day;

comment on view event_effects is
'Events that stand for more, or less, than themselves: the holders of marks, Deliveries after a recipient''s first, the bounces that make an outcome, one row of each authentication failure or virus report.';
comment on column event_effects.event_key is
'The event.';
comment on column event_effects.event_hour is
'Full hour (UTC) of the event.';
comment on column event_effects.event_day is
'Day of the event in report_time_zone.';
comment on column event_effects.cohort_hour is
'Full hour (UTC) of sending.';
comment on column event_effects.cohort_day is
'Day of sending in report_time_zone.';
comment on column event_effects.effects is
'Bits: 1 complaint, 2 delay, 4 open, 8 click, 16 engaged, 32, 64, 128 the same three by a person, 256 outcome, 512 report counted apart, 1024 a repeated Delivery, which is no outcome.';
