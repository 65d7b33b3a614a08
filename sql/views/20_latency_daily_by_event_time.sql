-- grain: one row per (event_day, account, region, configuration_set, attempt)
create or replace view latency_daily_by_event_time as
select
    l.period::date as event_day,
    l.account,
    l.region,
    l.configuration_set,
    coalesce(l.configuration_set, '(none)') as configuration_set_name,
    l.attempt,
    l.deliveries,
    edge_of_share(l.delivery_ms, 0.50) as delivery_p50_ms,
    edge_of_share(l.delivery_ms, 0.90) as delivery_p90_ms,
    edge_of_share(l.delivery_ms, 0.95) as delivery_p95_ms,
    edge_of_share(l.delivery_ms, 0.99) as delivery_p99_ms,
    edge_of_share(l.processing_ms, 0.50) as processing_p50_ms,
    edge_of_share(l.processing_ms, 0.90) as processing_p90_ms,
    edge_of_share(l.processing_ms, 0.95) as processing_p95_ms,
    edge_of_share(l.processing_ms, 0.99) as processing_p99_ms
from latency_day_sums('event_day') as l;

comment on view latency_daily_by_event_time is
'How long Deliveries took, by when they happened.';
comment on column latency_daily_by_event_time.event_day is
'Day of report_time_zone of delivery.';
comment on column latency_daily_by_event_time.account is
'AWS account that sent.';
comment on column latency_daily_by_event_time.region is
'AWS region that sent.';
comment on column latency_daily_by_event_time.configuration_set is
'Configuration set of the messages.';
comment on column latency_daily_by_event_time.configuration_set_name is
'The configuration set, or (none): for labels.';
comment on column latency_daily_by_event_time.attempt is
'first_attempt, delayed (the recipient had a DeliveryDelay), or all; the split exists only where DeliveryDelay is published.';
comment on column latency_daily_by_event_time.deliveries is
'Deliveries with that attempt.';
comment on column latency_daily_by_event_time.delivery_p50_ms is
'delivery.timestamp − mail.timestamp: upper edge of the histogram bucket that reaches 50 %.';
comment on column latency_daily_by_event_time.delivery_p90_ms is
'delivery.timestamp − mail.timestamp: upper edge of the histogram bucket that reaches 90 %.';
comment on column latency_daily_by_event_time.delivery_p95_ms is
'delivery.timestamp − mail.timestamp: upper edge of the histogram bucket that reaches 95 %.';
comment on column latency_daily_by_event_time.delivery_p99_ms is
'delivery.timestamp − mail.timestamp: upper edge of the histogram bucket that reaches 99 %.';
comment on column latency_daily_by_event_time.processing_p50_ms is
'processingTimeMillis: upper edge of the histogram bucket that reaches 50 %.';
comment on column latency_daily_by_event_time.processing_p90_ms is
'processingTimeMillis: upper edge of the histogram bucket that reaches 90 %.';
comment on column latency_daily_by_event_time.processing_p95_ms is
'processingTimeMillis: upper edge of the histogram bucket that reaches 95 %.';
comment on column latency_daily_by_event_time.processing_p99_ms is
'processingTimeMillis: upper edge of the histogram bucket that reaches 99 %.';
