-- What AWS says of our mail, beside what we say. The latest answer for a day replaces
-- the one before, as AWS's figures go on arriving for hours.

-- grain: one row per day, account, region, configuration set or provider, authority and
-- metric
create table reconciliations (
    reconciled_at timestamp not null,
    event_date date not null,
    account varchar not null,
    region varchar not null,
    configuration_set varchar,
    provider varchar,
    authority varchar not null,
    metric varchar not null,
    ours bigint not null,
    theirs bigint,
    reasons varchar[] not null
);

-- grain: one row per time that an account was asked how it stands in a region
create table postures (
    asked_at timestamp not null,
    account varchar not null,
    region varchar not null,
    enforcement_status varchar,
    review_status varchar,
    is_sending_enabled boolean,
    has_production_access boolean,
    max_sends_24h double,
    max_sends_per_sec double,
    sends_24h double,
    is_vdm_enabled boolean,
    has_engagement_metrics boolean
);
