-- grain: one row per (account, region, configuration_set, provider, delay_type,
-- age_hours)
create or replace view backlog as
with delayed as (
    select
        c.message_id,
        c.recipient,
        any_value(c.account) as account,
        any_value(c.region) as region,
        any_value(c.configuration_set) as configuration_set,
        any_value(c.provider) as provider,
        arg_max(c.delay_type, c.event_at) as delay_type,
        min(c.sent_at) as sent_at,
        max(c.event_at) as last_delayed_at
    from countable_events as c
    where c.event_type = 'DeliveryDelay' and c.recipient is not null
    group by c.message_id, c.recipient
),

unresolved as (
    select
        d.account,
        d.region,
        d.configuration_set,
        d.provider,
        d.delay_type,
        d.sent_at,
        d.last_delayed_at,
        case
            when d.sent_at > utc_now() - interval 1 hour then 0
            when d.sent_at > utc_now() - interval 6 hour then 1
            when d.sent_at > utc_now() - interval 14 hour then 6
            else 14
        end::bigint as age_hours
    from delayed as d
    where
        not exists (
            select 1
            from countable_events as o
            where
                o.event_type in ('Delivery', 'Bounce', 'Reject')
                and o.message_id = d.message_id
                and o.recipient = d.recipient
                and o.cohort_hour = date_trunc('hour', d.sent_at)
        )
)

select
    u.account,
    u.region,
    u.configuration_set,
    coalesce(u.configuration_set, '(none)') as configuration_set_name,
    u.provider,
    u.delay_type,
    u.age_hours,
    count(*) as recipients,
    min(u.sent_at) as oldest_sent_at,
    max(u.last_delayed_at) as last_delayed_at
from unresolved as u
group by
    u.account,
    u.region,
    u.configuration_set,
    u.provider,
    u.delay_type,
    u.age_hours;

comment on view backlog is
'Recipients whose last word is a delay: neither delivered nor bounced until now. SES gives up after 14 hours unless set otherwise.';
comment on column backlog.account is
'AWS account that sent.';
comment on column backlog.region is
'AWS region that sent.';
comment on column backlog.configuration_set is
'Configuration set of the message.';
comment on column backlog.configuration_set_name is
'The configuration set, or (none): for labels.';
comment on column backlog.provider is
'Mailbox provider of the recipient.';
comment on column backlog.delay_type is
'SES''s type of the last delay.';
comment on column backlog.age_hours is
'How long ago the mail was sent, at least: 0, 1, 6 or 14 hours.';
comment on column backlog.recipients is
'Recipients that wait.';
comment on column backlog.oldest_sent_at is
'When the oldest of that mail was sent (UTC).';
comment on column backlog.last_delayed_at is
'When the last delay was reported (UTC).';
