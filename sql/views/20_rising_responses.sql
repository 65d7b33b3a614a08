-- grain: one row per (account, region, configuration_set, provider, status, response)
create or replace view rising_responses as
with counted as (
    select
        r.account,
        r.region,
        r.configuration_set,
        r.provider,
        r.status,
        r.response,
        coalesce(
            sum(r.recipients) filter (
                where r.event_hour >= utc_now() - interval 24 hour
            ),
            0
        )::bigint as recipients_24h,
        coalesce(
            sum(r.recipients) filter (
                where r.event_hour < utc_now() - interval 24 hour
            ),
            0
        )::bigint as recipients_14d_before,
        min(r.event_hour) as first_seen_at
    from responses_hourly_by_event_time as r
    where
        r.event_hour >= utc_now() - interval 15 day
        and r.event_hour < utc_now()
    group by
        r.account,
        r.region,
        r.configuration_set,
        r.provider,
        r.status,
        r.response
)

select
    c.account,
    c.region,
    c.configuration_set,
    coalesce(c.configuration_set, '(none)') as configuration_set_name,
    c.provider,
    c.status,
    c.response,
    c.recipients_24h,
    c.recipients_14d_before,
    rate(c.recipients_14d_before, 14) as recipients_a_day_before,
    c.first_seen_at,
    c.recipients_14d_before = 0 as is_new
from counted as c
where
    c.recipients_24h > 0
    and c.recipients_24h * 14 >= 2 * c.recipients_14d_before;

comment on view rising_responses is
'Responses that are new in the last 24 hours, or at least twice as frequent as on an average day of the 14 before.';
comment on column rising_responses.account is
'AWS account that sent.';
comment on column rising_responses.region is
'AWS region that sent.';
comment on column rising_responses.configuration_set is
'Configuration set of the message.';
comment on column rising_responses.configuration_set_name is
'The configuration set, or (none): for labels.';
comment on column rising_responses.provider is
'Mailbox provider of the recipient.';
comment on column rising_responses.status is
'Enhanced status code (RFC 3463).';
comment on column rising_responses.response is
'The receiver''s words, without what differs from one recipient to the next.';
comment on column rising_responses.recipients_24h is
'Recipients that got it in the last 24 hours.';
comment on column rising_responses.recipients_14d_before is
'Recipients that got it in the 14 days before those.';
comment on column rising_responses.recipients_a_day_before is
'The same on an average day of them.';
comment on column rising_responses.first_seen_at is
'First hour (UTC) with it, of these 15 days.';
comment on column rising_responses.is_new is
'Whether it is new in the last 24 hours.';
