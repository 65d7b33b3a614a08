-- SES's own list of whom it does not mail, as last read: one for each account and
-- region.

-- grain: one row per account, region and address on the list
create table ses_suppressions (
    account varchar not null,
    region varchar not null,
    recipient varchar not null,
    reason varchar not null,
    updated_at timestamp not null
);
