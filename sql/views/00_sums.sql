-- What rollups and the views over events have in common.

-- Whether an event of this type stands in a denominator, or makes one: only then does
-- it matter what was published on the day of its sending.
create or replace macro has_basis(event_type) as (
    event_type not in ('Open', 'Click', 'Complaint', 'Subscription')
);

-- What a day's rates are divided by: Sends where they are published for all that came.
create or replace macro basis_of(sends, outcomes) as (
    case when sends >= 0.99 * outcomes then 'sends' else 'outcomes' end
);

-- Whether a day lies between two, both among them; not, where one of them is unknown.
create or replace macro is_on(day, from_day, to_day) as (
    coalesce(day between from_day and to_day, false)
);

-- Whose mail it is: the event's own identity, what is known of its source, its domain.
create or replace macro identity_of(own, known, source, from_domain) as (
    coalesce(own, known, nullif(split_part(source, '@', -1), ''), from_domain)
);

-- The line that a provider has by the hour: its own where it is listed, or was. NULL,
-- which is no provider at all, stays itself.
create or replace macro hourly_provider(provider) as (
    case
        when
            provider is null
            or provider in (select k.provider from rollup_providers as k)
            then provider
        else '(other)'
    end
);

-- A tag's values, as one text.
create or replace macro tag_text(tag_values) as (
    array_to_string(tag_values, ', ')
);

-- What a key's mail stands under on a day on which it has too many values to keep them
-- apart. No tag's value has a parenthesis.
create or replace macro crowded_tag_value() as '(too many values)';

-- The value that a tag's mail stands under by the day.
create or replace macro daily_tag_value(cohort_day, tag_key, tag_value) as (
    case
        when
            (cohort_day, tag_key) in (
                select (k.cohort_day, k.tag_key) from rollup_tag_keys as k
            )
            then crowded_tag_value()
        else tag_value
    end
);

-- What the rollups say, with what is not folded into them yet. The axis is event_hour,
-- event_day, cohort_hour or cohort_day, a constant where a macro is used.

-- Changes with a column a count: n of each whose bit is set. Name the relation in
-- quotes: rollup_deltas, or a CTE that stands before it, with counts and n.
create or replace macro counted_changes(changes) as table
    select
        d.* exclude (counts, n),
        d.n as events,
        d.n * ((d.counts >> 0) & 1) as sends,
        d.n * ((d.counts >> 1) & 1) as rejects,
        d.n * ((d.counts >> 2) & 1) as rendering_failures,
        d.n * ((d.counts >> 3) & 1) as suppressed,
        d.n * ((d.counts >> 4) & 1) as attempted,
        d.n * ((d.counts >> 5) & 1) as outcomes,
        d.n * ((d.counts >> 6) & 1) as deliveries,
        d.n * ((d.counts >> 7) & 1) as accepted,
        d.n * ((d.counts >> 8) & 1) as single_recipient_deliveries,
        d.n * ((d.counts >> 9) & 1) as fbl_deliveries,
        d.n * ((d.counts >> 10) & 1) as hard_bounces,
        d.n * ((d.counts >> 11) & 1) as soft_bounces,
        d.n * ((d.counts >> 12) & 1) as undetermined_bounces,
        d.n * ((d.counts >> 13) & 1) as block_bounces,
        d.n * ((d.counts >> 14) & 1) as auto_replies,
        d.n * ((d.counts >> 15) & 1) as aws_bounces,
        d.n * ((d.counts >> 16) & 1) as aws_sends,
        d.n * ((d.counts >> 17) & 1) as aws_outcomes,
        d.n * ((d.counts >> 18) & 1) as complaints,
        d.n * ((d.counts >> 19) & 1) as fbl_complaints,
        d.n * ((d.counts >> 20) & 1) as auth_failure_complaints,
        d.n * ((d.counts >> 21) & 1) as virus_complaints,
        d.n * ((d.counts >> 22) & 1) as delays,
        d.n * ((d.counts >> 23) & 1) as ses_delays,
        d.n * ((d.counts >> 24) & 1) as receiver_delays,
        d.n * ((d.counts >> 25) & 1) as unsubscribes,
        d.n * ((d.counts >> 26) & 1) as opens,
        d.n * ((d.counts >> 27) & 1) as machine_opens,
        d.n * ((d.counts >> 28) & 1) as unique_opens,
        d.n * ((d.counts >> 29) & 1) as unique_human_opens,
        d.n * ((d.counts >> 30) & 1) as unique_human_opens_24h,
        d.n * ((d.counts >> 31) & 1) as unique_human_opens_72h,
        d.n * ((d.counts >> 32) & 1) as unique_human_opens_7d,
        d.n * ((d.counts >> 33) & 1) as clicks,
        d.n * ((d.counts >> 34) & 1) as machine_clicks,
        d.n * ((d.counts >> 35) & 1) as unique_clicks,
        d.n * ((d.counts >> 36) & 1) as unique_human_clicks,
        d.n * ((d.counts >> 37) & 1) as unique_human_clicks_24h,
        d.n * ((d.counts >> 38) & 1) as unique_human_clicks_72h,
        d.n * ((d.counts >> 39) & 1) as unique_human_clicks_7d,
        d.n * ((d.counts >> 40) & 1) as unique_engaged,
        d.n * ((d.counts >> 41) & 1) as unique_human_engaged
    from query_table(changes) as d;

-- Rows of one axis to be added up; period is the hour, or the day. By the hour,
-- providers that are not listed are one line.
create or replace macro rollup_rows(axis) as table
    select
        r.period,
        r.period_day,
        r.other_day,
        r.account,
        r.region,
        r.configuration_set,
        r.identity,
        r.source,
        r.from_domain,
        r.provider,
        r.events,
        r.sends,
        r.rejects,
        r.rendering_failures,
        r.suppressed,
        r.attempted,
        r.outcomes,
        r.deliveries,
        r.accepted,
        r.single_recipient_deliveries,
        r.fbl_deliveries,
        r.hard_bounces,
        r.soft_bounces,
        r.undetermined_bounces,
        r.block_bounces,
        r.auto_replies,
        r.aws_bounces,
        r.aws_sends,
        r.aws_outcomes,
        r.complaints,
        r.fbl_complaints,
        r.auth_failure_complaints,
        r.virus_complaints,
        r.delays,
        r.ses_delays,
        r.receiver_delays,
        r.unsubscribes,
        r.opens,
        r.machine_opens,
        r.unique_opens,
        r.unique_human_opens,
        r.unique_human_opens_24h,
        r.unique_human_opens_72h,
        r.unique_human_opens_7d,
        r.clicks,
        r.machine_clicks,
        r.unique_clicks,
        r.unique_human_clicks,
        r.unique_human_clicks_24h,
        r.unique_human_clicks_72h,
        r.unique_human_clicks_7d,
        r.unique_engaged,
        r.unique_human_engaged
    from
        query_table(
            case axis
                when 'event_hour' then 'rollup_hourly_by_event_time'
                when 'event_day' then 'rollup_daily_by_event_time'
                when 'cohort_hour' then 'rollup_hourly_by_send_cohort'
                when 'cohort_day' then 'rollup_daily_by_send_cohort'
            end
        ) as r
    union all
    select
        case axis
            when 'event_hour' then date_trunc('hour', d.event_at)
            when 'event_day' then report_day(d.event_at)::timestamp
            when 'cohort_hour' then date_trunc('hour', d.sent_at)
            when 'cohort_day' then report_day(d.sent_at)::timestamp
        end as period,
        case
            when starts_with(axis, 'event') then report_day(d.event_at)
            else report_day(d.sent_at)
        end as period_day,
        case
            when starts_with(axis, 'event')
                then case when has_basis(d.event_type) then report_day(d.sent_at) end
            when d.event_type = 'Delivery'
                then nullif(report_day(d.event_at), report_day(d.sent_at))
        end as other_day,
        d.account,
        d.region,
        d.configuration_set,
        d.identity,
        d.source,
        d.from_domain,
        case
            when ends_with(axis, 'hour') then hourly_provider(d.provider)
            else d.provider
        end as provider,
        d.events,
        d.sends,
        d.rejects,
        d.rendering_failures,
        d.suppressed,
        d.attempted,
        d.outcomes,
        d.deliveries,
        d.accepted,
        d.single_recipient_deliveries,
        d.fbl_deliveries,
        d.hard_bounces,
        d.soft_bounces,
        d.undetermined_bounces,
        d.block_bounces,
        d.auto_replies,
        d.aws_bounces,
        d.aws_sends,
        d.aws_outcomes,
        d.complaints,
        d.fbl_complaints,
        d.auth_failure_complaints,
        d.virus_complaints,
        d.delays,
        d.ses_delays,
        d.receiver_delays,
        d.unsubscribes,
        d.opens,
        d.machine_opens,
        d.unique_opens,
        d.unique_human_opens,
        d.unique_human_opens_24h,
        d.unique_human_opens_72h,
        d.unique_human_opens_7d,
        d.clicks,
        d.machine_clicks,
        d.unique_clicks,
        d.unique_human_clicks,
        d.unique_human_clicks_24h,
        d.unique_human_clicks_72h,
        d.unique_human_clicks_7d,
        d.unique_engaged,
        d.unique_human_engaged
    from counted_changes('rollup_deltas') as d;

-- The same of each tag of a message, by the day of sending.
create or replace macro tag_rollup_rows() as table
    with tagged as (
        select
            d.*,
            unnest(map_entries(d.tags)) as tag
        from rollup_deltas as d
    )

    select r.*
    from rollup_tags_daily_by_send_cohort as r
    union all by name
    select
        d.* exclude (event_type, event_at, sent_at, provider, tags, tag),
        report_day(d.sent_at)::timestamp as period,
        report_day(d.sent_at) as period_day,
        case
            when d.event_type = 'Delivery'
                then nullif(report_day(d.event_at), report_day(d.sent_at))
        end as other_day,
        d.tag.key as tag_key,
        daily_tag_value(report_day(d.sent_at), d.tag.key, tag_text(d.tag.value))
            as tag_value
    from counted_changes('tagged') as d;

-- What each configuration set (or identity, where there is none) was heard to publish,
-- by axis: event_day or cohort_day. Of both at once, as planning each costs a query.
create or replace macro coverage_days() as table
    with said as (
        select
            r.axis,
            r.axis_day,
            r.account,
            r.region,
            r.configuration_set,
            r.identity,
            r.source,
            r.from_domain,
            r.event_type,
            r.events,
            r.sends,
            r.outcomes
        from rollup_coverage as r
        union all
        select
            a.axis,
            report_day(case a.axis when 'event_day' then d.event_at else d.sent_at end)
                as axis_day,
            d.account,
            d.region,
            d.configuration_set,
            case when d.configuration_set is null then d.identity end as identity,
            case when d.configuration_set is null then d.source end as source,
            case when d.configuration_set is null then d.from_domain end as from_domain,
            d.event_type,
            d.n as events,
            d.n * ((d.counts >> 0) & 1) as sends,
            d.n * ((d.counts >> 5) & 1) as outcomes
        from rollup_deltas as d
        cross join (values ('event_day'), ('cohort_day')) as a (axis)
    ),

    summed as (
        select
            s.axis,
            s.axis_day,
            s.account,
            s.region,
            s.configuration_set,
            s.identity,
            s.source,
            s.from_domain,
            s.event_type,
            sum(s.events)::bigint as events,
            sum(s.sends)::bigint as sends,
            sum(s.outcomes)::bigint as outcomes
        from said as s
        group by
            s.axis,
            s.axis_day,
            s.account,
            s.region,
            s.configuration_set,
            s.identity,
            s.source,
            s.from_domain,
            s.event_type
    )

    select
        s.axis,
        s.axis_day,
        s.account,
        s.region,
        s.configuration_set,
        case
            when s.configuration_set is null
                then identity_of(s.identity, i.identity, s.source, s.from_domain)
        end as identity_without_set,
        s.event_type,
        s.events,
        s.sends,
        s.outcomes
    from summed as s
    left join identities as i
        on
            s.identity is null
            and s.source = i.source
            and s.account is not distinct from i.account
            and s.region is not distinct from i.region
    where s.events > 0;

-- What event_publication says, of the days of a CTE that has coverage_days' rows.
create or replace macro publication_of(coverage) as table
    with days as (
        select
            c.*,
            c.axis = 'cohort_day' and is_plausible(c.axis_day::timestamp) as is_of_mail,
            c.axis = 'event_day' and is_plausible(c.axis_day::timestamp) as is_of_event
        from query_table(coverage) as c
    )

    select
        c.account,
        c.region,
        c.configuration_set,
        c.identity_without_set,
        min(c.axis_day) filter (where c.event_type = 'Delivery' and c.is_of_mail)
            as deliveries_from_day,
        max(c.axis_day) filter (where c.event_type = 'Delivery' and c.is_of_mail)
            as deliveries_to_day,
        bool_or(c.event_type = 'DeliveryDelay') as has_delivery_delay,
        bool_or(c.event_type = 'Subscription') as has_subscription,
        report_day_starts_at(
            min(c.axis_day) filter (where c.event_type = 'Open' and c.is_of_event)
        ) as opens_from,
        report_day_starts_at(
            max(c.axis_day) filter (where c.event_type = 'Open' and c.is_of_event) + 1
        ) as opens_until,
        report_day_starts_at(
            min(c.axis_day) filter (where c.event_type = 'Click' and c.is_of_event)
        ) as clicks_from,
        report_day_starts_at(
            max(c.axis_day) filter (where c.event_type = 'Click' and c.is_of_event) + 1
        ) as clicks_until,
        nullif(
            concat_ws(
                ', ',
                case when not bool_or(c.event_type = 'Send') then 'Send' end,
                case when not bool_or(c.event_type = 'Delivery') then 'Delivery' end,
                case when not bool_or(c.event_type = 'Bounce') then 'Bounce' end,
                case when not bool_or(c.event_type = 'Complaint') then 'Complaint' end,
                case
                    when not bool_or(c.event_type = 'DeliveryDelay')
                        then 'DeliveryDelay'
                end,
                case when not bool_or(c.event_type = 'Open') then 'Open' end,
                case when not bool_or(c.event_type = 'Click') then 'Click' end
            ),
            ''
        ) as missing_event_types
    from days as c
    group by c.account, c.region, c.configuration_set, c.identity_without_set;
