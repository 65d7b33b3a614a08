-- What figures are added up from: rollups, the changes not folded into them yet, and
-- what a batch needs to know to make those changes.
--
-- Identity is kept as the events have it: an event without one is known by its source,
-- or by its from-domain, and views look up whose they are: learning it moves no row.

-- grain: one row per event and recipient that may change how its message's Send or
-- Delivery counts
create table rare_events (
    message_id varchar not null,
    sent_at timestamp not null,
    event_at timestamp not null,
    event_key uuid not null
);

-- grain: rows to be added up of what came (n above 0) and went (n below 0) since the
-- rollups were last added up, by quarters of an hour; counts holds a bit for each count
create table rollup_deltas (
    event_type varchar not null,
    event_at timestamp not null,
    sent_at timestamp not null,
    account varchar,
    region varchar,
    configuration_set varchar,
    identity varchar,
    source varchar,
    from_domain varchar,
    provider varchar,
    counts bigint not null,
    n bigint not null
);

-- grain: rows to be added up, as in rollup_deltas, of what messages whose events are
-- pruned count as in hours that are not frozen yet, by quarters of an hour
create table rollup_remains (
    event_type varchar not null,
    event_at timestamp not null,
    sent_at timestamp not null,
    account varchar,
    region varchar,
    configuration_set varchar,
    identity varchar,
    source varchar,
    from_domain varchar,
    provider varchar,
    counts bigint not null,
    n bigint not null
);

-- grain: one row per provider that has a line of its own by the hour, where all other
-- mailboxes are one line; by the day they are themselves. Whoever had one keeps it
create table rollup_providers (
    provider varchar not null
);

-- grain: rows to be added up per hour, day of sending (where a rate depends on it) and
-- dimensions
create table rollup_hourly_by_event_time (
    period timestamp not null,
    period_day date not null,
    other_day date,
    account varchar,
    region varchar,
    configuration_set varchar,
    identity varchar,
    source varchar,
    from_domain varchar,
    provider varchar,
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

-- grain: rows to be added up per hour, day of delivery (where it is another than that
-- of sending) and dimensions
create table rollup_hourly_by_send_cohort (
    period timestamp not null,
    period_day date not null,
    other_day date,
    account varchar,
    region varchar,
    configuration_set varchar,
    identity varchar,
    source varchar,
    from_domain varchar,
    provider varchar,
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

-- grain: rows to be added up per day, day of sending (where a rate depends on it) and
-- dimensions
create table rollup_daily_by_event_time (
    period timestamp not null,
    period_day date not null,
    other_day date,
    account varchar,
    region varchar,
    configuration_set varchar,
    identity varchar,
    source varchar,
    from_domain varchar,
    provider varchar,
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

-- grain: rows to be added up per day, day of delivery (where it is another than that
-- of sending) and dimensions
create table rollup_daily_by_send_cohort (
    period timestamp not null,
    period_day date not null,
    other_day date,
    account varchar,
    region varchar,
    configuration_set varchar,
    identity varchar,
    source varchar,
    from_domain varchar,
    provider varchar,
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

-- grain: one row per rollup, period and time that changes were added up: how many rows
-- the period got, until it is compacted
create table rollup_folds (
    rollup varchar not null,
    period timestamp not null,
    rows bigint not null
);

-- grain: rows to be added up per axis (event_day, cohort_day), day, configuration set
-- (or identity, where there is none) and event type
create table rollup_coverage (
    axis varchar not null,
    axis_day date not null,
    account varchar,
    region varchar,
    configuration_set varchar,
    identity varchar,
    source varchar,
    from_domain varchar,
    event_type varchar not null,
    events bigint not null,
    sends bigint not null,
    outcomes bigint not null
);
