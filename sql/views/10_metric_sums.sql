-- Sums of what event_tallies has. The first, from the rollups, stands behind the views
-- by configuration set and by provider, the second behind any other question; the lists
-- are the same, by a test.

-- Sums by the period on one axis (event_hour, event_day, cohort_hour, cohort_day), with
-- or without the mailbox provider. The axis is a constant where the macro is used, so
-- the case folds away and a filter on period reaches the scan.
create or replace macro configuration_set_sums(axis, by_provider) as table
    with rolled as (
        select s.*
        from rollup_sums(axis, by_provider) as s
    )

    select
        t.period,
        t.account,
        t.region,
        t.configuration_set,
        case when by_provider then t.provider end as provider,
        sum(t.sends)::bigint as sends,
        sum(t.rejects)::bigint as rejects,
        sum(t.rendering_failures)::bigint as rendering_failures,
        sum(t.suppressed)::bigint as suppressed,
        sum(t.attempted)::bigint as attempted,
        sum(t.outcomes)::bigint as outcomes,
        sum(t.deliveries)::bigint as deliveries,
        sum(t.accepted)::bigint as accepted,
        sum(t.single_recipient_deliveries)::bigint as single_recipient_deliveries,
        sum(t.fbl_deliveries)::bigint as fbl_deliveries,
        sum(t.hard_bounces)::bigint as hard_bounces,
        sum(t.soft_bounces)::bigint as soft_bounces,
        sum(t.undetermined_bounces)::bigint as undetermined_bounces,
        sum(t.block_bounces)::bigint as block_bounces,
        sum(t.auto_replies)::bigint as auto_replies,
        sum(t.aws_bounces)::bigint as aws_bounces,
        sum(t.aws_sends)::bigint as aws_sends,
        sum(t.complaints)::bigint as complaints,
        sum(t.fbl_complaints)::bigint as fbl_complaints,
        sum(t.auth_failure_complaints)::bigint as auth_failure_complaints,
        sum(t.virus_complaints)::bigint as virus_complaints,
        sum(t.delays)::bigint as delays,
        sum(t.ses_delays)::bigint as ses_delays,
        sum(t.receiver_delays)::bigint as receiver_delays,
        sum(t.unsubscribes)::bigint as unsubscribes,
        sum(t.opens)::bigint as opens,
        sum(t.machine_opens)::bigint as machine_opens,
        sum(t.unique_opens)::bigint as unique_opens,
        sum(t.unique_human_opens)::bigint as unique_human_opens,
        sum(t.unique_human_opens_24h)::bigint as unique_human_opens_24h,
        sum(t.unique_human_opens_72h)::bigint as unique_human_opens_72h,
        sum(t.unique_human_opens_7d)::bigint as unique_human_opens_7d,
        sum(t.clicks)::bigint as clicks,
        sum(t.machine_clicks)::bigint as machine_clicks,
        sum(t.unique_clicks)::bigint as unique_clicks,
        sum(t.unique_human_clicks)::bigint as unique_human_clicks,
        sum(t.unique_human_clicks_24h)::bigint as unique_human_clicks_24h,
        sum(t.unique_human_clicks_72h)::bigint as unique_human_clicks_72h,
        sum(t.unique_human_clicks_7d)::bigint as unique_human_clicks_7d,
        sum(t.unique_engaged)::bigint as unique_engaged,
        sum(t.unique_human_engaged)::bigint as unique_human_engaged,
        sum(t.attempted_or_outcomes)::bigint as attempted_or_outcomes,
        sum(t.delivery_attempts)::bigint as delivery_attempts,
        sum(t.delivery_sends)::bigint as delivery_sends,
        sum(t.sent_deliveries)::bigint as sent_deliveries,
        sum(t.lost_attempts)::bigint as lost_attempts,
        sum(t.known_outcomes)::bigint as known_outcomes,
        sum(t.delay_attempts)::bigint as delay_attempts,
        sum(t.aws_mail)::bigint as aws_mail,
        sum(t.open_tracked_deliveries)::bigint as open_tracked_deliveries,
        sum(t.click_tracked_deliveries)::bigint as click_tracked_deliveries,
        sum(t.list_deliveries)::bigint as list_deliveries,
        case
            when
                min(t.denominator_basis) filter (where t.attempted + t.outcomes > 0)
                != max(t.denominator_basis) filter (
                    where t.attempted + t.outcomes > 0
                )
                then 'mixed'
            else coalesce(
                min(t.denominator_basis) filter (where t.attempted + t.outcomes > 0),
                min(t.denominator_basis)
            )
        end as denominator_basis,
        max(t.missing_event_types) as missing_event_types
    from rollup_tallies(axis, 'rolled') as t
    group by
        t.period,
        t.account,
        t.region,
        t.configuration_set,
        case when by_provider then t.provider end;

-- Sums of a relation that has event_tallies' columns and one more, dimensions, a struct
-- of whatever it is grouped by. Name the relation in quotes: a view, or a CTE that
-- stands before it.
create or replace macro sums_by_dimensions(tallies) as table
    select
        t.dimensions,
        sum(t.sends)::bigint as sends,
        sum(t.rejects)::bigint as rejects,
        sum(t.rendering_failures)::bigint as rendering_failures,
        sum(t.suppressed)::bigint as suppressed,
        sum(t.attempted)::bigint as attempted,
        sum(t.outcomes)::bigint as outcomes,
        sum(t.deliveries)::bigint as deliveries,
        sum(t.accepted)::bigint as accepted,
        sum(t.single_recipient_deliveries)::bigint as single_recipient_deliveries,
        sum(t.fbl_deliveries)::bigint as fbl_deliveries,
        sum(t.hard_bounces)::bigint as hard_bounces,
        sum(t.soft_bounces)::bigint as soft_bounces,
        sum(t.undetermined_bounces)::bigint as undetermined_bounces,
        sum(t.block_bounces)::bigint as block_bounces,
        sum(t.auto_replies)::bigint as auto_replies,
        sum(t.aws_bounces)::bigint as aws_bounces,
        sum(t.aws_sends)::bigint as aws_sends,
        sum(t.complaints)::bigint as complaints,
        sum(t.fbl_complaints)::bigint as fbl_complaints,
        sum(t.auth_failure_complaints)::bigint as auth_failure_complaints,
        sum(t.virus_complaints)::bigint as virus_complaints,
        sum(t.delays)::bigint as delays,
        sum(t.ses_delays)::bigint as ses_delays,
        sum(t.receiver_delays)::bigint as receiver_delays,
        sum(t.unsubscribes)::bigint as unsubscribes,
        sum(t.opens)::bigint as opens,
        sum(t.machine_opens)::bigint as machine_opens,
        sum(t.unique_opens)::bigint as unique_opens,
        sum(t.unique_human_opens)::bigint as unique_human_opens,
        sum(t.unique_human_opens_24h)::bigint as unique_human_opens_24h,
        sum(t.unique_human_opens_72h)::bigint as unique_human_opens_72h,
        sum(t.unique_human_opens_7d)::bigint as unique_human_opens_7d,
        sum(t.clicks)::bigint as clicks,
        sum(t.machine_clicks)::bigint as machine_clicks,
        sum(t.unique_clicks)::bigint as unique_clicks,
        sum(t.unique_human_clicks)::bigint as unique_human_clicks,
        sum(t.unique_human_clicks_24h)::bigint as unique_human_clicks_24h,
        sum(t.unique_human_clicks_72h)::bigint as unique_human_clicks_72h,
        sum(t.unique_human_clicks_7d)::bigint as unique_human_clicks_7d,
        sum(t.unique_engaged)::bigint as unique_engaged,
        sum(t.unique_human_engaged)::bigint as unique_human_engaged,
        sum(t.attempted_or_outcomes)::bigint as attempted_or_outcomes,
        sum(t.delivery_attempts)::bigint as delivery_attempts,
        sum(t.delivery_sends)::bigint as delivery_sends,
        sum(t.sent_deliveries)::bigint as sent_deliveries,
        sum(t.lost_attempts)::bigint as lost_attempts,
        sum(t.known_outcomes)::bigint as known_outcomes,
        sum(t.delay_attempts)::bigint as delay_attempts,
        sum(t.aws_mail)::bigint as aws_mail,
        sum(t.open_tracked_deliveries)::bigint as open_tracked_deliveries,
        sum(t.click_tracked_deliveries)::bigint as click_tracked_deliveries,
        sum(t.list_deliveries)::bigint as list_deliveries,
        case
            when
                min(t.denominator_basis) filter (where t.attempted + t.outcomes > 0)
                != max(t.denominator_basis) filter (
                    where t.attempted + t.outcomes > 0
                )
                then 'mixed'
            else coalesce(
                min(t.denominator_basis) filter (where t.attempted + t.outcomes > 0),
                min(t.denominator_basis)
            )
        end as denominator_basis,
        max(t.missing_event_types) as missing_event_types
    from query_table(tallies) as t
    group by t.dimensions;
