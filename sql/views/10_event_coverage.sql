-- grain: one row per (account, region, configuration_set, identity_without_set,
-- event_type)
create or replace view event_coverage as
with days as (
    select
        c.account,
        c.region,
        c.configuration_set,
        c.identity_without_set,
        c.event_type,
        c.cohort_day,
        count(*) as events,
        min(c.event_at) filter (where is_plausible(c.event_at)) as first_seen_at,
        max(c.event_at) filter (where is_plausible(c.event_at)) as last_seen_at,
        -- an Open of an old message is no mail of its day
        bool_or(c.event_type in ('Send', 'Delivery', 'Bounce')) over (
            partition by
                c.account,
                c.region,
                c.configuration_set,
                c.identity_without_set,
                c.cohort_day
        ) as has_mail
    from countable_events as c
    group by
        c.account,
        c.region,
        c.configuration_set,
        c.identity_without_set,
        c.event_type,
        c.cohort_day
),

mail_days as (
    select
        d.account,
        d.region,
        d.configuration_set,
        d.identity_without_set,
        count(distinct d.cohort_day) filter (where d.has_mail) as days_with_mail
    from days as d
    group by d.account, d.region, d.configuration_set, d.identity_without_set
),

types as (
    select
        unnest(
            [
                'Send',
                'Delivery',
                'Bounce',
                'Complaint',
                'Reject',
                'Rendering Failure',
                'DeliveryDelay',
                'Open',
                'Click',
                'Subscription'
            ]
        ) as event_type
)

select
    m.account,
    m.region,
    m.configuration_set,
    coalesce(m.configuration_set, '(none)') as configuration_set_name,
    m.identity_without_set,
    t.event_type,
    coalesce(sum(d.events), 0)::bigint as events,
    min(d.first_seen_at) as first_seen_at,
    max(d.last_seen_at) as last_seen_at,
    m.days_with_mail,
    count(d.cohort_day) as days_seen,
    m.days_with_mail - count(d.cohort_day) filter (where d.has_mail) as days_without
from mail_days as m
cross join types as t
left join days as d
    on
        t.event_type = d.event_type
        and m.account is not distinct from d.account
        and m.region is not distinct from d.region
        and m.configuration_set is not distinct from d.configuration_set
        and m.identity_without_set is not distinct from d.identity_without_set
group by
    m.account,
    m.region,
    m.configuration_set,
    m.identity_without_set,
    t.event_type,
    m.days_with_mail;

comment on view event_coverage is
'Which event types a configuration set publishes, or an identity where there is no set; a type never seen has a row with no events.';
comment on column event_coverage.account is
'AWS account that sent.';
comment on column event_coverage.region is
'AWS region that sent.';
comment on column event_coverage.configuration_set is
'Configuration set of the messages.';
comment on column event_coverage.configuration_set_name is
'The configuration set, or (none): for labels.';
comment on column event_coverage.identity_without_set is
'The identity where the messages have no configuration set.';
comment on column event_coverage.event_type is
'SES''s event type.';
comment on column event_coverage.events is
'Rows of that type.';
comment on column event_coverage.first_seen_at is
'When the first of them happened (UTC), without stamps that cannot be true.';
comment on column event_coverage.last_seen_at is
'When the last of them happened (UTC), without stamps that cannot be true.';
comment on column event_coverage.days_with_mail is
'Cohort days with a Send, a Delivery or a Bounce.';
comment on column event_coverage.days_seen is
'Cohort days with that type.';
comment on column event_coverage.days_without is
'Days with mail and without that type.';
