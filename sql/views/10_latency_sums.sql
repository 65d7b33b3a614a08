-- Latency of deliveries by the period on one axis (a constant where it is used, so that
-- a filter on period reaches the scan) and by attempt: by the hour from events, by the
-- day from rollups.
create or replace macro latency_hour_sums(axis) as table
    with deliveries as (
        select
            case axis
                when 'event_hour' then e.event_hour
                when 'cohort_hour' then e.cohort_hour
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
        filled_buckets(histogram(d.delivery_ms, latency_edges_ms())) as delivery_ms,
        filled_buckets(histogram(d.processing_ms, latency_edges_ms())) as processing_ms
    from deliveries as d
    group by d.period, d.account, d.region, d.configuration_set, d.attempt;

-- The axis is event_day or cohort_day.
create or replace macro latency_day_sums(axis) as table
    with counted as (
        select
            r.period,
            r.account,
            r.region,
            r.configuration_set,
            r.identity,
            r.source,
            r.from_domain,
            r.measure,
            r.edge_ms,
            r.deliveries,
            r.delayed_deliveries
        from
            query_table(
                case axis
                    when 'event_day' then 'rollup_latency_daily_by_event_time'
                    when 'cohort_day' then 'rollup_latency_daily_by_send_cohort'
                end
            ) as r
        union all
        select
            case axis
                when 'event_day' then report_day(d.event_at)::timestamp
                when 'cohort_day' then report_day(d.sent_at)::timestamp
            end as period,
            d.account,
            d.region,
            d.configuration_set,
            d.identity,
            d.source,
            d.from_domain,
            unnest(['delivery', 'processing']) as measure,
            unnest([d.delivery_edge_ms, d.processing_edge_ms]) as edge_ms,
            d.deliveries,
            d.delayed_deliveries
        from rollup_delivery_deltas as d
    ),

    -- a mail's identity, where it stands for the set, says what is published
    known as (
        select
            c.period,
            c.account,
            c.region,
            c.configuration_set,
            c.measure,
            c.edge_ms,
            case
                when c.configuration_set is null
                    then identity_of(
                        c.identity, i.identity, c.source, c.from_domain
                    )
            end as identity_without_set,
            sum(c.deliveries) as deliveries,
            sum(c.delayed_deliveries) as delayed_deliveries
        from counted as c
        left join identities as i
            on
                c.identity is null
                and c.source = i.source
                and c.account is not distinct from i.account
                and c.region is not distinct from i.region
        where c.edge_ms is not null
        group by
            c.period,
            c.account,
            c.region,
            c.configuration_set,
            c.measure,
            c.edge_ms,
            case
                when c.configuration_set is null
                    then identity_of(
                        c.identity, i.identity, c.source, c.from_domain
                    )
            end
    ),

    told as (
        select
            k.period,
            k.account,
            k.region,
            k.configuration_set,
            k.measure,
            k.edge_ms,
            unnest([
                { 'attempt': 'all', 'deliveries': k.deliveries },
                { 'attempt': 'delayed', 'deliveries': k.delayed_deliveries },
                {
                    'attempt': 'first_attempt',
                    'deliveries': case
                        when p.has_delivery_delay
                            then k.deliveries - k.delayed_deliveries
                        else 0
                    end
                }
            ]) as told
        from known as k
        left join event_publication as p
            on
                k.account is not distinct from p.account
                and k.region is not distinct from p.region
                and k.configuration_set is not distinct from p.configuration_set
                and k.identity_without_set is not distinct from p.identity_without_set
    ),

    buckets as (
        select
            t.period,
            t.account,
            t.region,
            t.configuration_set,
            t.told.attempt,
            t.measure,
            t.edge_ms as key,
            sum(t.told.deliveries)::bigint as value
        from told as t
        group by
            t.period,
            t.account,
            t.region,
            t.configuration_set,
            t.told.attempt,
            t.measure,
            t.edge_ms
        having sum(t.told.deliveries) > 0
    )

    select
        b.period,
        b.account,
        b.region,
        b.configuration_set,
        b.attempt,
        sum(b.value) filter (where b.measure = 'delivery')::bigint as deliveries,
        list({ 'key': b.key, 'value': b.value } order by b.key) filter (
            where b.measure = 'delivery'
        ) as delivery_ms,
        list({ 'key': b.key, 'value': b.value } order by b.key) filter (
            where b.measure = 'processing'
        ) as processing_ms
    from buckets as b
    group by b.period, b.account, b.region, b.configuration_set, b.attempt;
