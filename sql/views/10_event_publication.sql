-- grain: one row per (account, region, configuration_set, identity_without_set)
create or replace view event_publication as
with days as (
    select
        s.axis_day as cohort_day,
        null::date as event_day,
        s.account,
        s.region,
        s.configuration_set,
        s.identity_without_set,
        s.event_type,
        is_plausible(s.axis_day::timestamp) as is_plausible
    from coverage_days('cohort_day') as s
    union all
    select
        null::date as cohort_day,
        e.axis_day as event_day,
        e.account,
        e.region,
        e.configuration_set,
        e.identity_without_set,
        e.event_type,
        is_plausible(e.axis_day::timestamp) as is_plausible
    from coverage_days('event_day') as e
)

select
    c.account,
    c.region,
    c.configuration_set,
    coalesce(c.configuration_set, '(none)') as configuration_set_name,
    c.identity_without_set,
    min(c.cohort_day) filter (
        where c.event_type = 'Delivery' and c.is_plausible
    ) as deliveries_from_day,
    max(c.cohort_day) filter (
        where c.event_type = 'Delivery' and c.is_plausible
    ) as deliveries_to_day,
    bool_or(c.event_type = 'DeliveryDelay') as has_delivery_delay,
    bool_or(c.event_type = 'Subscription') as has_subscription,
    report_day_starts_at(
        min(c.event_day) filter (where c.event_type = 'Open' and c.is_plausible)
    )
        as opens_from,
    report_day_starts_at(
        max(c.event_day) filter (where c.event_type = 'Open' and c.is_plausible) + 1
    )
        as opens_until,
    report_day_starts_at(
        min(c.event_day) filter (where c.event_type = 'Click' and c.is_plausible)
    )
        as clicks_from,
    report_day_starts_at(
        max(c.event_day) filter (where c.event_type = 'Click' and c.is_plausible) + 1
    )
        as clicks_until,
    nullif(
        concat_ws(
            ', ',
            case when not bool_or(c.event_type = 'Send') then 'Send' end,
            case when not bool_or(c.event_type = 'Delivery') then 'Delivery' end,
            case when not bool_or(c.event_type = 'Bounce') then 'Bounce' end,
            case when not bool_or(c.event_type = 'Complaint') then 'Complaint' end,
            case
                when not bool_or(c.event_type = 'DeliveryDelay') then 'DeliveryDelay'
            end,
            case when not bool_or(c.event_type = 'Open') then 'Open' end,
            case when not bool_or(c.event_type = 'Click') then 'Click' end
        ),
        ''
    ) as missing_event_types
from days as c
group by c.account, c.region, c.configuration_set, c.identity_without_set;

comment on view event_publication is
'What a configuration set publishes, or an identity where there is no set: what its rates may rest on.';
comment on column event_publication.account is
'AWS account that sent.';
comment on column event_publication.region is
'AWS region that sent.';
comment on column event_publication.configuration_set is
'Configuration set of the messages.';
comment on column event_publication.configuration_set_name is
'The configuration set, or (none): for labels.';
comment on column event_publication.identity_without_set is
'The identity where the messages have no configuration set.';
comment on column event_publication.deliveries_from_day is
'First cohort day with a Delivery.';
comment on column event_publication.deliveries_to_day is
'Last cohort day with a Delivery.';
comment on column event_publication.has_delivery_delay is
'Whether a DeliveryDelay was ever seen.';
comment on column event_publication.has_subscription is
'Whether a Subscription was ever seen: SES list management is used.';
comment on column event_publication.opens_from is
'Start (UTC) of the day of the first Open.';
comment on column event_publication.opens_until is
'End (UTC) of the day of the last Open.';
comment on column event_publication.clicks_from is
'Start (UTC) of the day of the first Click.';
comment on column event_publication.clicks_until is
'End (UTC) of the day of the last Click.';
comment on column event_publication.missing_event_types is
'Event types never seen, comma separated. A rare type that is missing may be published all the same.';
