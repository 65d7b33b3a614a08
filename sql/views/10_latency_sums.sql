-- Latency of deliveries by the period on one axis (a constant where it is used, so that
-- a filter on period reaches the scan) and by attempt.
create or replace macro latency_sums(axis) as table
    with deliveries as (
        select
            case axis
                when 'event_hour' then e.event_hour
                when 'event_day' then e.event_day::timestamp
                when 'cohort_hour' then e.cohort_hour
                when 'cohort_day' then e.cohort_day::timestamp
            end as period,
            e.account,
            e.region,
            e.configuration_set,
            e.attempt,
            e.delivery_ms,
            e.processing_ms
        from latencies as e
    )

    select
        d.period,
        d.account,
        d.region,
        d.configuration_set,
        d.attempt,
        count(*) as deliveries,
        histogram(d.delivery_ms, latency_edges_ms()) as delivery_ms,
        histogram(d.processing_ms, latency_edges_ms()) as processing_ms
    from deliveries as d
    group by d.period, d.account, d.region, d.configuration_set, d.attempt;
