-- grain: one row per (account, region, configuration_set, provider, delay_type,
-- age_hours)
-- Of three days: SES gives up after 14 hours at most, and words that come later than
-- that are rare. So a scan reads the end of the file, and a case lets it skip types.
create or replace view backlog as
with delayed as (
    select
        e.message_id,
        e.recipient,
        any_value(e.account) as account,
        any_value(e.region) as region,
        any_value(e.configuration_set) as configuration_set,
        any_value(e.provider) as provider,
        arg_max(e.delay_type, e.event_at) as delay_type,
        min(e.sent_at) as sent_at,
        max(e.event_at) as last_delayed_at
    from events as e
    where
        e.event_type = 'DeliveryDelay'
        and not e.is_simulator
        and e.recipient is not null
        and e.sent_at > utc_now() - interval 3 day
    group by e.message_id, e.recipient
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
            from events as o
            where
                case o.event_type
                    when 'Delivery' then true
                    when 'Bounce' then true
                    when 'Reject' then true
                    else false
                end
                and not o.is_simulator
                and o.message_id = d.message_id
                and o.recipient = d.recipient
                and date_trunc('hour', o.sent_at) = date_trunc('hour', d.sent_at)
                and o.sent_at > utc_now() - interval 73 hour
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
'Recipients whose last word is a delay: neither delivered nor bounced until now, of mail sent in the last three days. SES gives up after 14 hours at most; what is older waits no more and is lost mail.';
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
