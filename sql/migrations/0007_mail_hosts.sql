-- What DNS said of recipient domains, where the user allows to ask it.

-- grain: one row per host, or all hosts below a name, that take mail for a provider
create table mx_providers (
    mx_suffix varchar not null,
    provider varchar not null
);

-- grain: one row per recipient domain that DNS was asked about; provider is what events
-- get by it, NULL where nobody knows the host, or the domain is in the map
create table mx_answers (
    domain varchar not null,
    outcome varchar not null,
    mx_host varchar,
    provider varchar,
    asked_at timestamp not null,
    expires_at timestamp not null
);
