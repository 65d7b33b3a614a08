-- Every rate, once. Both macros take the name, in quotes, of a relation with the sums
-- of event_tallies (a view, or a CTE before them) and give its columns and the rates.

-- By event time a numerator is no subset of its denominator: no interval, nothing lost,
-- no accepted. Cohorts know those.
create or replace macro rates_by_event_time(sums) as table
    select
        s.*,
        rate(s.sent_deliveries, s.delivery_sends) as delivery_rate,
        rate(s.hard_bounces, s.attempted_or_outcomes) as hard_bounce_rate,
        rate(s.soft_bounces, s.attempted_or_outcomes) as soft_bounce_rate,
        rate(s.undetermined_bounces, s.attempted_or_outcomes)
            as undetermined_bounce_rate,
        rate(s.block_bounces, s.attempted_or_outcomes) as block_bounce_rate,
        rate(s.aws_bounces, s.aws_mail) as aws_bounce_rate,
        rate(s.fbl_complaints, s.fbl_deliveries) as complaint_rate_fbl,
        rate(s.complaints, s.deliveries) as complaint_rate,
        rate(s.delays, s.delay_attempts) as delay_rate,
        rate(s.unsubscribes, s.list_deliveries) as unsubscribe_rate,
        rate(s.unique_human_opens, s.open_tracked_deliveries) as unique_open_rate,
        rate(s.unique_human_clicks, s.click_tracked_deliveries) as unique_click_rate,
        rate(s.unique_clicks, s.unique_engaged) as click_to_open_rate,
        is_small_sample(s.attempted_or_outcomes) as is_small_sample
    from query_table(sums) as s;

-- By send cohort. The relation also says when the cohort's mail was all sent:
-- cohort_ends_at (UTC). Rates that need an age are NULL until the cohort has it.
create or replace macro rates_by_send_cohort(sums) as table
    with aged as (
        select
            s.*,
            greatest(0, s.lost_attempts - s.known_outcomes) as lost_by_now,
            epoch(utc_now() - s.cohort_ends_at) / 3600 as cohort_age_hours
        from query_table(sums) as s
    )

    select
        a.* exclude (lost_by_now),
        case
            when a.cohort_age_hours >= 24 and a.lost_attempts > 0 then a.lost_by_now
        end as lost,
        rate(a.sent_deliveries, a.delivery_sends) as delivery_rate,
        wilson_low(a.sent_deliveries, a.delivery_sends) as delivery_rate_low,
        wilson_high(a.sent_deliveries, a.delivery_sends) as delivery_rate_high,
        rate(a.accepted, a.delivery_attempts) as accepted_rate,
        wilson_low(a.accepted, a.delivery_attempts) as accepted_rate_low,
        wilson_high(a.accepted, a.delivery_attempts) as accepted_rate_high,
        rate(a.hard_bounces, a.attempted_or_outcomes) as hard_bounce_rate,
        wilson_low(a.hard_bounces, a.attempted_or_outcomes) as hard_bounce_rate_low,
        wilson_high(a.hard_bounces, a.attempted_or_outcomes) as hard_bounce_rate_high,
        rate(a.soft_bounces, a.attempted_or_outcomes) as soft_bounce_rate,
        wilson_low(a.soft_bounces, a.attempted_or_outcomes) as soft_bounce_rate_low,
        wilson_high(a.soft_bounces, a.attempted_or_outcomes) as soft_bounce_rate_high,
        rate(a.undetermined_bounces, a.attempted_or_outcomes)
            as undetermined_bounce_rate,
        wilson_low(
            a.undetermined_bounces, a.attempted_or_outcomes
        ) as undetermined_bounce_rate_low,
        wilson_high(
            a.undetermined_bounces, a.attempted_or_outcomes
        ) as undetermined_bounce_rate_high,
        rate(a.block_bounces, a.attempted_or_outcomes) as block_bounce_rate,
        wilson_low(a.block_bounces, a.attempted_or_outcomes) as block_bounce_rate_low,
        wilson_high(a.block_bounces, a.attempted_or_outcomes) as block_bounce_rate_high,
        rate(a.aws_bounces, a.aws_mail) as aws_bounce_rate,
        wilson_low(a.aws_bounces, a.aws_mail) as aws_bounce_rate_low,
        wilson_high(a.aws_bounces, a.aws_mail) as aws_bounce_rate_high,
        rate(a.fbl_complaints, a.fbl_deliveries) as complaint_rate_fbl,
        wilson_low(a.fbl_complaints, a.fbl_deliveries) as complaint_rate_fbl_low,
        wilson_high(a.fbl_complaints, a.fbl_deliveries) as complaint_rate_fbl_high,
        rate(a.complaints, a.deliveries) as complaint_rate,
        wilson_low(a.complaints, a.deliveries) as complaint_rate_low,
        wilson_high(a.complaints, a.deliveries) as complaint_rate_high,
        rate(a.delays, a.delay_attempts) as delay_rate,
        wilson_low(a.delays, a.delay_attempts) as delay_rate_low,
        wilson_high(a.delays, a.delay_attempts) as delay_rate_high,
        rate(a.unsubscribes, a.list_deliveries) as unsubscribe_rate,
        wilson_low(a.unsubscribes, a.list_deliveries) as unsubscribe_rate_low,
        wilson_high(a.unsubscribes, a.list_deliveries) as unsubscribe_rate_high,
        rate(a.unique_human_opens, a.open_tracked_deliveries) as unique_open_rate,
        wilson_low(a.unique_human_opens, a.open_tracked_deliveries)
            as unique_open_rate_low,
        wilson_high(
            a.unique_human_opens, a.open_tracked_deliveries
        ) as unique_open_rate_high,
        rate(a.unique_human_clicks, a.click_tracked_deliveries) as unique_click_rate,
        wilson_low(
            a.unique_human_clicks, a.click_tracked_deliveries
        ) as unique_click_rate_low,
        wilson_high(
            a.unique_human_clicks, a.click_tracked_deliveries
        ) as unique_click_rate_high,
        rate(a.unique_clicks, a.unique_engaged) as click_to_open_rate,
        wilson_low(a.unique_clicks, a.unique_engaged) as click_to_open_rate_low,
        wilson_high(a.unique_clicks, a.unique_engaged) as click_to_open_rate_high,
        case
            when a.cohort_age_hours >= 24
                then rate(a.unique_human_opens_24h, a.open_tracked_deliveries)
        end as unique_open_rate_24h,
        case
            when a.cohort_age_hours >= 24
                then wilson_low(a.unique_human_opens_24h, a.open_tracked_deliveries)
        end as unique_open_rate_24h_low,
        case
            when a.cohort_age_hours >= 24
                then wilson_high(a.unique_human_opens_24h, a.open_tracked_deliveries)
        end as unique_open_rate_24h_high,
        case
            when a.cohort_age_hours >= 72
                then rate(a.unique_human_opens_72h, a.open_tracked_deliveries)
        end as unique_open_rate_72h,
        case
            when a.cohort_age_hours >= 72
                then wilson_low(a.unique_human_opens_72h, a.open_tracked_deliveries)
        end as unique_open_rate_72h_low,
        case
            when a.cohort_age_hours >= 72
                then wilson_high(a.unique_human_opens_72h, a.open_tracked_deliveries)
        end as unique_open_rate_72h_high,
        case
            when a.cohort_age_hours >= 168
                then rate(a.unique_human_opens_7d, a.open_tracked_deliveries)
        end as unique_open_rate_7d,
        case
            when a.cohort_age_hours >= 168
                then wilson_low(a.unique_human_opens_7d, a.open_tracked_deliveries)
        end as unique_open_rate_7d_low,
        case
            when a.cohort_age_hours >= 168
                then wilson_high(a.unique_human_opens_7d, a.open_tracked_deliveries)
        end as unique_open_rate_7d_high,
        case
            when a.cohort_age_hours >= 24
                then rate(a.unique_human_clicks_24h, a.click_tracked_deliveries)
        end as unique_click_rate_24h,
        case
            when a.cohort_age_hours >= 24
                then wilson_low(a.unique_human_clicks_24h, a.click_tracked_deliveries)
        end as unique_click_rate_24h_low,
        case
            when a.cohort_age_hours >= 24
                then wilson_high(a.unique_human_clicks_24h, a.click_tracked_deliveries)
        end as unique_click_rate_24h_high,
        case
            when a.cohort_age_hours >= 72
                then rate(a.unique_human_clicks_72h, a.click_tracked_deliveries)
        end as unique_click_rate_72h,
        case
            when a.cohort_age_hours >= 72
                then wilson_low(a.unique_human_clicks_72h, a.click_tracked_deliveries)
        end as unique_click_rate_72h_low,
        case
            when a.cohort_age_hours >= 72
                then wilson_high(a.unique_human_clicks_72h, a.click_tracked_deliveries)
        end as unique_click_rate_72h_high,
        case
            when a.cohort_age_hours >= 168
                then rate(a.unique_human_clicks_7d, a.click_tracked_deliveries)
        end as unique_click_rate_7d,
        case
            when a.cohort_age_hours >= 168
                then wilson_low(a.unique_human_clicks_7d, a.click_tracked_deliveries)
        end as unique_click_rate_7d_low,
        case
            when a.cohort_age_hours >= 168
                then wilson_high(a.unique_human_clicks_7d, a.click_tracked_deliveries)
        end as unique_click_rate_7d_high,
        case
            when a.cohort_age_hours >= 24 then rate(a.lost_by_now, a.lost_attempts)
        end as lost_rate,
        case
            when
                a.cohort_age_hours >= 24
                then wilson_low(a.lost_by_now, a.lost_attempts)
        end as lost_rate_low,
        case
            when
                a.cohort_age_hours >= 24
                then wilson_high(a.lost_by_now, a.lost_attempts)
        end as lost_rate_high,
        is_small_sample(a.attempted_or_outcomes) as is_small_sample,
        case
            when a.cohort_age_hours < 72 then 'forming'
            when a.cohort_age_hours < 168 then 'preliminary'
            else 'mature'
        end as bounce_maturity,
        a.cohort_age_hours < 168 as is_preliminary,
        a.cohort_age_hours >= 168 as is_mature_for_bounces,
        a.cohort_age_hours >= 720 as is_mature_for_complaints,
        a.cohort_age_hours >= 1440 as is_mature_for_engagement
    from aged as a;
