-- rollup_rows added up per configuration set (or identity, where there is none), with
-- or without the mailbox provider; what went as it came is no row.
create or replace macro rollup_sums(axis, by_provider) as table
    select
        r.period,
        r.period_day,
        r.other_day,
        r.account,
        r.region,
        r.configuration_set,
        case when r.configuration_set is null then r.identity end as identity,
        case when r.configuration_set is null then r.source end as source,
        case when r.configuration_set is null then r.from_domain end as from_domain,
        case when by_provider then r.provider end as provider,
        sum(r.events) as events,
        sum(r.sends) as sends,
        sum(r.rejects) as rejects,
        sum(r.rendering_failures) as rendering_failures,
        sum(r.suppressed) as suppressed,
        sum(r.attempted) as attempted,
        sum(r.outcomes) as outcomes,
        sum(r.deliveries) as deliveries,
        sum(r.accepted) as accepted,
        sum(r.single_recipient_deliveries) as single_recipient_deliveries,
        sum(r.fbl_deliveries) as fbl_deliveries,
        sum(r.hard_bounces) as hard_bounces,
        sum(r.soft_bounces) as soft_bounces,
        sum(r.undetermined_bounces) as undetermined_bounces,
        sum(r.block_bounces) as block_bounces,
        sum(r.auto_replies) as auto_replies,
        sum(r.aws_bounces) as aws_bounces,
        sum(r.aws_sends) as aws_sends,
        sum(r.aws_outcomes) as aws_outcomes,
        sum(r.complaints) as complaints,
        sum(r.fbl_complaints) as fbl_complaints,
        sum(r.auth_failure_complaints) as auth_failure_complaints,
        sum(r.virus_complaints) as virus_complaints,
        sum(r.delays) as delays,
        sum(r.ses_delays) as ses_delays,
        sum(r.receiver_delays) as receiver_delays,
        sum(r.unsubscribes) as unsubscribes,
        sum(r.opens) as opens,
        sum(r.machine_opens) as machine_opens,
        sum(r.unique_opens) as unique_opens,
        sum(r.unique_human_opens) as unique_human_opens,
        sum(r.unique_human_opens_24h) as unique_human_opens_24h,
        sum(r.unique_human_opens_72h) as unique_human_opens_72h,
        sum(r.unique_human_opens_7d) as unique_human_opens_7d,
        sum(r.clicks) as clicks,
        sum(r.machine_clicks) as machine_clicks,
        sum(r.unique_clicks) as unique_clicks,
        sum(r.unique_human_clicks) as unique_human_clicks,
        sum(r.unique_human_clicks_24h) as unique_human_clicks_24h,
        sum(r.unique_human_clicks_72h) as unique_human_clicks_72h,
        sum(r.unique_human_clicks_7d) as unique_human_clicks_7d,
        sum(r.unique_engaged) as unique_engaged,
        sum(r.unique_human_engaged) as unique_human_engaged
    from rollup_rows(axis) as r
    group by
        r.period,
        r.period_day,
        r.other_day,
        r.account,
        r.region,
        r.configuration_set,
        case when r.configuration_set is null then r.identity end,
        case when r.configuration_set is null then r.source end,
        case when r.configuration_set is null then r.from_domain end,
        case when by_provider then r.provider end
    having sum(r.events) > 0;

-- Rows of one axis's rollups, or sums of them, with whose mail it is and the
-- denominators that depend on what is published: what event_tallies says row by row.
-- Name the relation in quotes: a CTE that stands before it, with rollup_rows' columns;
-- others that it has besides are passed on. Few levels: each binds sixty columns anew.
-- noqa: disable=RF02
create or replace macro rollup_tallies(axis, counted) as table
    with known as (
        select
            c.*,
            case
                when starts_with(axis, 'event') then c.other_day
                else c.period_day
            end as cohort_day,
            case
                when starts_with(axis, 'event') then c.period_day
                else coalesce(c.other_day, c.period_day)
            end as event_day,
            identity_of(c.identity, i.identity, c.source, c.from_domain)
                as resolved_identity,
            case when c.configuration_set is null then resolved_identity end
                as identity_without_set
        from query_table(counted) as c
        left join identities as i
            on
                c.identity is null
                and c.source = i.source
                and c.account is not distinct from i.account
                and c.region is not distinct from i.region
    ),

    -- event_publication and event_publication_days, of coverage that stands once: each
    -- time it stands somewhere costs a query 10 ms of planning
    coverage as (
        select c.*
        from coverage_days() as c
    ),

    published as (
        select p.*
        from publication_of('coverage') as p
    ),

    bases as (
        select
            c.axis_day as cohort_day,
            c.account,
            c.region,
            c.configuration_set,
            c.identity_without_set,
            basis_of(sum(c.sends), sum(c.outcomes)) as denominator_basis
        from coverage as c
        where c.axis = 'cohort_day'
        group by
            c.axis_day,
            c.account,
            c.region,
            c.configuration_set,
            c.identity_without_set
    )

    select
        r.* exclude (
            identity,
            source,
            from_domain,
            resolved_identity,
            identity_without_set,
            other_day,
            cohort_day,
            event_day,
            aws_outcomes
        ),
        r.resolved_identity as identity,
        case
            when d.denominator_basis = 'sends' then r.attempted
            when is_on(
                r.cohort_day, p.deliveries_from_day, p.deliveries_to_day
            ) then r.outcomes
            else 0
        end as attempted_or_outcomes,
        case
            when not is_on(
                r.cohort_day, p.deliveries_from_day, p.deliveries_to_day
            ) then 0
            when d.denominator_basis = 'sends' then r.attempted
            else r.outcomes
        end as delivery_attempts,
        case
            when
                d.denominator_basis = 'sends'
                and is_on(
                    r.cohort_day, p.deliveries_from_day, p.deliveries_to_day
                )
                then r.sends
            else 0
        end as delivery_sends,
        case
            when
                d.denominator_basis = 'sends'
                and is_on(
                    r.cohort_day, p.deliveries_from_day, p.deliveries_to_day
                )
                then r.deliveries
            else 0
        end as sent_deliveries,
        case
            when
                d.denominator_basis = 'sends'
                and is_on(
                    r.cohort_day, p.deliveries_from_day, p.deliveries_to_day
                )
                then r.attempted
            else 0
        end as lost_attempts,
        case
            when
                d.denominator_basis = 'sends'
                and is_on(
                    r.cohort_day, p.deliveries_from_day, p.deliveries_to_day
                )
                then r.outcomes
            else 0
        end as known_outcomes,
        case
            when not coalesce(p.has_delivery_delay, false) then 0
            when d.denominator_basis = 'sends' then r.attempted
            when is_on(
                r.cohort_day, p.deliveries_from_day, p.deliveries_to_day
            ) then r.outcomes
            else 0
        end as delay_attempts,
        case
            when d.denominator_basis = 'sends' then r.aws_sends
            when is_on(
                r.cohort_day, p.deliveries_from_day, p.deliveries_to_day
            ) then r.aws_outcomes
            else 0
        end as aws_mail,
        case
            when
                r.event_day >= report_day(p.opens_from)
                and r.event_day < report_day(p.opens_until)
                then r.single_recipient_deliveries
            else 0
        end as open_tracked_deliveries,
        case
            when
                r.event_day >= report_day(p.clicks_from)
                and r.event_day < report_day(p.clicks_until)
                then r.single_recipient_deliveries
            else 0
        end as click_tracked_deliveries,
        case
            when coalesce(p.has_subscription, false)
                then r.single_recipient_deliveries
            else 0
        end as list_deliveries,
        d.denominator_basis,
        p.missing_event_types
    from known as r
    left join published as p
        on
            r.account is not distinct from p.account
            and r.region is not distinct from p.region
            and r.configuration_set is not distinct from p.configuration_set
            and r.identity_without_set is not distinct from p.identity_without_set
    left join bases as d
        on
            r.cohort_day = d.cohort_day
            and r.account is not distinct from d.account
            and r.region is not distinct from d.region
            and r.configuration_set is not distinct from d.configuration_set
            and r.identity_without_set is not distinct from d.identity_without_set;
