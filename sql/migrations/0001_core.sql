-- The core tables. Only what DuckLake has too: no primary keys, sequences, enums,
-- checks.
-- Times are TIMESTAMP holding UTC.

-- grain: one row per event and recipient
create table events (
    event_key uuid not null,
    event_type varchar not null,
    event_at timestamp not null,
    sent_at timestamp not null,
    received_at timestamp not null,
    is_identity_notification boolean not null,
    message_id varchar not null,
    recipient varchar,
    recipient_as_written varchar,
    recipient_domain varchar,
    provider varchar,
    destination_count integer not null,
    is_attributable boolean not null,
    is_simulator boolean not null,
    account varchar,
    region varchar,
    configuration_set varchar,
    tenant varchar,
    identity varchar,
    identity_account varchar,
    source varchar,
    from_domain varchar,
    caller_identity varchar,
    operation varchar,
    source_ip varchar,
    source_tls_version varchar,
    outgoing_ip varchar,
    outgoing_tls_version varchar,
    tags map (varchar, varchar[]),
    subject varchar,
    feedback_id varchar,
    bounce_type varchar,
    bounce_sub_type varchar,
    is_auto_reply boolean,
    action varchar,
    status varchar,
    diagnostic_code varchar,
    reporting_mta varchar,
    remote_mta_ip varchar,
    bounce_rule varchar,
    bounce_class varchar,
    complaint_sub_type varchar,
    complaint_feedback_type varchar,
    is_ambiguous boolean,
    arrived_at timestamp,
    processing_ms bigint,
    smtp_response varchar,
    delay_type varchar,
    expires_at timestamp,
    reject_reason varchar,
    template varchar,
    error_message varchar,
    ip varchar,
    user_agent varchar,
    link varchar,
    link_tags map (varchar, varchar[]),
    is_bot_event varchar,
    machine_rule varchar,
    contact_list varchar,
    subscription_source varchar,
    is_unsubscribe boolean,
    new_preferences varchar,
    old_preferences varchar
);

-- grain: one row per group that is counted once; it names the event that holds the mark
create table marks (
    mark_key ubigint not null,
    kind varchar not null,
    event_at timestamp not null,
    event_key uuid not null,
    sent_at timestamp not null
);

-- grain: one row per event and recipient that waits for its message's Send
create table waiting (
    message_id varchar not null,
    sent_at timestamp not null,
    event_at timestamp not null,
    event_key uuid not null
);

-- grain: one row per account, region and source address
create table identities (
    account varchar,
    region varchar,
    source varchar not null,
    identity varchar not null,
    identity_account varchar,
    event_at timestamp not null,
    event_key uuid not null
);

-- grain: one row per payload that no schema accepted
create table quarantine (
    sha256 varchar not null,
    reason varchar not null,
    detail varchar not null,
    origin varchar not null,
    source varchar not null,
    received_at timestamp not null,
    payload blob not null,
    payload_bytes bigint not null,
    payload_offset bigint not null,
    region varchar,
    account varchar,
    batch_id uuid not null
);

-- grain: one row per committed batch
create table ledger (
    batch_id uuid not null,
    source varchar not null,
    committed_at timestamp not null,
    first_received_at timestamp,
    last_received_at timestamp,
    payloads bigint not null,
    received bigint not null,
    inserted bigint not null,
    superseded bigint not null,
    duplicates bigint not null,
    quarantined bigint not null,
    ignored bigint not null,
    removed bigint not null,
    released bigint not null,
    ignored_reasons map (varchar, bigint),
    quarantined_reasons map (varchar, bigint),
    archive_file varchar,
    archive_offset bigint,
    archive_bytes bigint
);

-- grain: one row per source and part of it (a partition, a prefix) that can be read on
-- from
create table positions (
    source varchar not null,
    part varchar not null,
    position varchar not null,
    batch_id uuid not null
);

-- grain: one row per recipient domain that belongs to a mailbox provider
create table providers (
    domain varchar not null,
    provider varchar not null,
    has_feedback_loop boolean not null
);

-- grain: one row per rule that tells a machine's open or click from a person's; the
-- first that fits judges
create table machine_rules (
    precedence integer not null,
    rule varchar not null,
    event_type varchar,
    user_agent_pattern varchar,
    ip_prefix varchar,
    within_secs double,
    note varchar
);

-- grain: one row per set of conditions of a rule that says what a bounce is about; the
-- first that fits judges
create table bounce_rules (
    precedence integer not null,
    rule varchar not null,
    bounce_class varchar not null,
    bounce_type varchar,
    bounce_sub_type varchar,
    status_pattern varchar,
    diagnostic_pattern varchar,
    note varchar
);

-- grain: one row per class that bounce rules give
create table bounce_classes (
    bounce_class varchar not null,
    description varchar not null,
    sisimai_reasons varchar,
    sparkpost_codes varchar
);

-- grain: one row per time that somebody lifted a recipient's suppression
create table suppression_lifts (
    recipient varchar not null,
    lifted_at timestamp not null,
    note varchar
);

-- grain: one row per fact about this warehouse
create table warehouse_facts (
    name varchar not null,
    value varchar not null
);
