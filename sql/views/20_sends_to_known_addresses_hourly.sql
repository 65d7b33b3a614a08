-- grain: one row per (cohort_hour, account, region, configuration_set, reason)
create or replace view sends_to_known_addresses_hourly as
with known as (
    select
        c.account,
        c.recipient,
        'bounced' as reason,
        min(c.event_at) as known_since
    from countable_events as c
    where c.bounce_kind = 'hard'
    group by c.account, c.recipient
    union all
    select
        c.account,
        c.recipient,
        'complained' as reason,
        min(c.event_at) as known_since
    from countable_events as c
    where c.complaint_kind = 'complaint' and not c.is_ambiguous
    group by c.account, c.recipient
    union all
    select
        c.account,
        c.recipient,
        'unsubscribed' as reason,
        min(c.event_at) as known_since
    from countable_events as c
    where c.is_unsubscribe
    group by c.account, c.recipient
)

select
    s.cohort_hour,
    s.account,
    s.region,
    s.configuration_set,
    coalesce(s.configuration_set, '(none)') as configuration_set_name,
    k.reason,
    count(*) as sends
from countable_events as s
inner join known as k
    on
        s.recipient = k.recipient
        and s.account is not distinct from k.account
        and s.sent_at > k.known_since
where s.event_type = 'Send'
group by s.cohort_hour, s.account, s.region, s.configuration_set, k.reason;

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
