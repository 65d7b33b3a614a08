-- grain: one row per (cohort_hour, account, region, configuration_set, reason)
-- From events themselves, by types: what makes an address known is rare, and its types
-- let the scan skip all else (as a case: `in` is looked at after everything is read).
create or replace view sends_to_known_addresses_hourly as
with reasons as (
    select
        e.account,
        e.recipient,
        e.event_at,
        case e.event_type
            when 'Bounce' then 'bounced'
            when 'Complaint' then 'complained'
            else 'unsubscribed'
        end as reason
    from events as e
    where
        case e.event_type
            when 'Bounce' then true
            when 'Complaint' then true
            when 'Subscription' then true
            else false
        end
        and not e.is_simulator
        and e.recipient is not null
        and case e.event_type
            when 'Bounce'
                then bounce_kind_of(
                    e.bounce_type, e.bounce_sub_type, e.is_auto_reply
                ) = 'hard'
            when 'Complaint'
                then complaint_kind_of(
                    e.complaint_sub_type, e.complaint_feedback_type
                ) = 'complaint'
                and not coalesce(e.is_ambiguous, false)
            else e.is_unsubscribe
        end
),

known as (
    select
        r.account,
        r.recipient,
        r.reason,
        min(r.event_at) as known_since
    from reasons as r
    group by r.account, r.recipient, r.reason
)

select
    date_trunc('hour', s.sent_at) as cohort_hour,
    s.account,
    s.region,
    s.configuration_set,
    coalesce(s.configuration_set, '(none)') as configuration_set_name,
    k.reason,
    count(*) as sends
from events as s
inner join known as k
    on
        s.recipient = k.recipient
        and s.account is not distinct from k.account
        and s.sent_at > k.known_since
where s.event_type = 'Send' and not s.is_simulator
group by
    date_trunc('hour', s.sent_at),
    s.account,
    s.region,
    s.configuration_set,
    k.reason;

comment on view sends_to_known_addresses_hourly is
'Mail sent to addresses that had bounced hard, complained or unsubscribed before: what a suppression list would have held back.';
comment on column sends_to_known_addresses_hourly.cohort_hour is
'Full hour (UTC) of sending.';
comment on column sends_to_known_addresses_hourly.account is
'AWS account that sent.';
comment on column sends_to_known_addresses_hourly.region is
'AWS region that sent.';
comment on column sends_to_known_addresses_hourly.configuration_set is
'Configuration set of the message.';
comment on column sends_to_known_addresses_hourly.configuration_set_name is
'The configuration set, or (none): for labels.';
comment on column sends_to_known_addresses_hourly.reason is
'bounced, complained or unsubscribed; an address may be known for several.';
comment on column sends_to_known_addresses_hourly.sends is
'Sends × destinations.';
