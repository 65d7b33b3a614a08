-- grain: one row per (account, region, configuration_set, identity_without_set)
create or replace view event_publication as
with coverage as (
    select c.*
    from coverage_days() as c
)

select
    p.account,
    p.region,
    p.configuration_set,
    coalesce(p.configuration_set, '(none)') as configuration_set_name,
    p.identity_without_set,
    p.deliveries_from_day,
    p.deliveries_to_day,
    p.has_delivery_delay,
    p.has_subscription,
    p.opens_from,
    p.opens_until,
    p.clicks_from,
    p.clicks_until,
    p.missing_event_types
from publication_of('coverage') as p;

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
