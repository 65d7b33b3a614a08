-- How long Deliveries took is added up: bands by the hour, histograms by the day.

-- Of a DeliveryDelay whose delivery it put off: a Delivery finds out without a look-up
-- among the events. NULL of all others
alter table rare_events add column recipient varchar;

insert into rare_events
select
    e.message_id,
    e.sent_at,
    e.event_at,
    e.event_key,
    e.recipient
from events as e
where
    e.event_type = 'DeliveryDelay'
    and not e.is_simulator
    and e.recipient is not null;

-- grain: one row per Delivery to one recipient that came, went (deliveries below 0) or
-- turned out to be delayed since the rollups were last added up
create table rollup_delivery_deltas (
    event_at timestamp not null,
    sent_at timestamp not null,
    account varchar,
    region varchar,
    configuration_set varchar,
    identity varchar,
    source varchar,
    from_domain varchar,
    provider varchar,
    delivery_edge_ms bigint not null,
    processing_edge_ms bigint,
    deliveries bigint not null,
    delayed_deliveries bigint not null
);

-- grain: one row per Delivery to one recipient, as in rollup_delivery_deltas, that is
-- pruned and lies in an hour or day that is not frozen yet
create table rollup_delivery_remains (
    event_at timestamp not null,
    sent_at timestamp not null,
    account varchar,
    region varchar,
    configuration_set varchar,
    identity varchar,
    source varchar,
    from_domain varchar,
    provider varchar,
    delivery_edge_ms bigint not null,
    processing_edge_ms bigint,
    deliveries bigint not null,
    delayed_deliveries bigint not null
);

-- grain: rows to be added up per hour of delivery, configuration set, mailbox provider
-- and band, which at_most_ms names; NULL is the one above all others
create table rollup_delivery_times_hourly_by_event_time (
    period timestamp not null,
    account varchar,
    region varchar,
    configuration_set varchar,
    provider varchar,
    at_most_ms bigint,
    deliveries bigint not null
);

-- grain: rows to be added up per day of delivery, configuration set (or identity, where
-- there is none), measure (delivery, processing) and bucket
create table rollup_latency_daily_by_event_time (
    period timestamp not null,
    account varchar,
    region varchar,
    configuration_set varchar,
    identity varchar,
    source varchar,
    from_domain varchar,
    measure varchar not null,
    edge_ms bigint not null,
    deliveries bigint not null,
    delayed_deliveries bigint not null
);

-- grain: the same per day of sending
create table rollup_latency_daily_by_send_cohort (
    period timestamp not null,
    account varchar,
    region varchar,
    configuration_set varchar,
    identity varchar,
    source varchar,
    from_domain varchar,
    measure varchar not null,
    edge_ms bigint not null,
    deliveries bigint not null,
    delayed_deliveries bigint not null
);
