-- Counts by message tag are added up by the day.

-- As the message has them: a change of its counts is one of each of its tags
alter table rollup_deltas add column tags map (varchar, varchar[]);

-- grain: one row per day of sending and tag key that had more values that day than are
-- kept apart: they are one line
create table rollup_tag_keys (
    cohort_day date not null,
    tag_key varchar not null
);

-- grain: rows to be added up per day of sending, day of delivery (where it is another),
-- configuration set (or identity, where there is none), tag key and value
create table rollup_tags_daily_by_send_cohort (
    period timestamp not null,
    period_day date not null,
    other_day date,
    account varchar,
    region varchar,
    configuration_set varchar,
    identity varchar,
    source varchar,
    from_domain varchar,
    tag_key varchar not null,
    tag_value varchar,
    events bigint not null,
    sends bigint not null,
    rejects bigint not null,
    rendering_failures bigint not null,
    suppressed bigint not null,
    attempted bigint not null,
    outcomes bigint not null,
    deliveries bigint not null,
    accepted bigint not null,
    single_recipient_deliveries bigint not null,
    fbl_deliveries bigint not null,
    hard_bounces bigint not null,
    soft_bounces bigint not null,
    undetermined_bounces bigint not null,
    block_bounces bigint not null,
    auto_replies bigint not null,
    aws_bounces bigint not null,
    aws_sends bigint not null,
    aws_outcomes bigint not null,
    complaints bigint not null,
    fbl_complaints bigint not null,
    auth_failure_complaints bigint not null,
    virus_complaints bigint not null,
    delays bigint not null,
    ses_delays bigint not null,
    receiver_delays bigint not null,
    unsubscribes bigint not null,
    opens bigint not null,
    machine_opens bigint not null,
    unique_opens bigint not null,
    unique_human_opens bigint not null,
    unique_human_opens_24h bigint not null,
    unique_human_opens_72h bigint not null,
    unique_human_opens_7d bigint not null,
    clicks bigint not null,
    machine_clicks bigint not null,
    unique_clicks bigint not null,
    unique_human_clicks bigint not null,
    unique_human_clicks_24h bigint not null,
    unique_human_clicks_72h bigint not null,
    unique_human_clicks_7d bigint not null,
    unique_engaged bigint not null,
    unique_human_engaged bigint not null
);
