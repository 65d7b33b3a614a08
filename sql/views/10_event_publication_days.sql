-- grain: one row per (cohort_day, account, region, configuration_set,
-- identity_without_set)
create or replace view event_publication_days as
with days as (
    select
        c.axis_day as cohort_day,
        c.account,
        c.region,
        c.configuration_set,
        c.identity_without_set,
        sum(c.sends)::bigint as sends,
        sum(c.outcomes)::bigint as outcomes
    from coverage_days() as c
    where c.axis = 'cohort_day'
    group by
        c.axis_day,
        c.account,
        c.region,
        c.configuration_set,
        c.identity_without_set
)

select
    d.cohort_day,
    d.account,
    d.region,
    d.configuration_set,
    coalesce(d.configuration_set, '(none)') as configuration_set_name,
    d.identity_without_set,
    d.sends,
    d.outcomes,
    basis_of(d.sends, d.outcomes) as denominator_basis,
    d.cohort_day between p.deliveries_from_day and p.deliveries_to_day
        as is_delivery_published,
    p.has_delivery_delay,
    p.has_subscription,
    p.opens_from,
    p.opens_until,
    p.clicks_from,
    p.clicks_until,
    p.missing_event_types
from days as d
left join event_publication as p
    on
        d.account is not distinct from p.account
        and d.region is not distinct from p.region
        and d.configuration_set is not distinct from p.configuration_set
        and d.identity_without_set is not distinct from p.identity_without_set;

comment on view event_publication_days is
'What stands under the rates of a cohort day: decided once per configuration set, or identity where there is none.';
comment on column event_publication_days.cohort_day is
'Day of sending in report_time_zone.';
comment on column event_publication_days.account is
'AWS account that sent.';
comment on column event_publication_days.region is
'AWS region that sent.';
comment on column event_publication_days.configuration_set is
'Configuration set of the messages.';
comment on column event_publication_days.configuration_set_name is
'The configuration set, or (none): for labels.';
comment on column event_publication_days.identity_without_set is
'The identity where the messages have no configuration set.';
comment on column event_publication_days.sends is
'Sends × destinations of the day.';
comment on column event_publication_days.outcomes is
'Recipients of the day with a Delivery or a bounce that counts.';
comment on column event_publication_days.denominator_basis is
'sends where they are at least 99 % of outcomes, else outcomes.';
comment on column event_publication_days.is_delivery_published is
'Whether the day lies between the first and the last cohort day with a Delivery.';
comment on column event_publication_days.has_delivery_delay is
'Whether a DeliveryDelay was ever seen.';
comment on column event_publication_days.has_subscription is
'Whether a Subscription was ever seen: SES list management is used.';
comment on column event_publication_days.opens_from is
'Start (UTC) of the day of the first Open.';
comment on column event_publication_days.opens_until is
'End (UTC) of the day of the last Open.';
comment on column event_publication_days.clicks_from is
'Start (UTC) of the day of the first Click.';
comment on column event_publication_days.clicks_until is
'End (UTC) of the day of the last Click.';
comment on column event_publication_days.missing_event_types is
'Event types never seen, comma separated. A rare type that is missing may be published all the same.';
