-- grain: one row per (cohort_day, account, region, configuration_set,
-- identity_without_set)
create or replace view event_publication_days as
select
    o.cohort_day,
    o.account,
    o.region,
    o.configuration_set,
    o.identity_without_set,
    sum(o.sends)::bigint as sends,
    sum(o.outcomes)::bigint as outcomes,
    case
        when sum(o.sends) >= 0.99 * sum(o.outcomes) then 'sends'
        else 'outcomes'
    end as denominator_basis,
    bool_or(o.cohort_day between p.deliveries_from_day and p.deliveries_to_day)
        as is_delivery_published
from event_outcomes as o
left join event_publication as p
    on
        o.account is not distinct from p.account
        and o.region is not distinct from p.region
        and o.configuration_set is not distinct from p.configuration_set
        and o.identity_without_set is not distinct from p.identity_without_set
group by
    o.cohort_day,
    o.account,
    o.region,
    o.configuration_set,
    o.identity_without_set;

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
