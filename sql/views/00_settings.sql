-- Settings that views depend on. They stand in warehouse_facts; opening the warehouse
-- may replace report_time_zone() by a constant, so that filters on days skip row
-- groups.

-- Of the definitions in docs/metrics.md. It goes up whenever a figure changes for the
-- same events; the warehouse keeps it as a fact, and report shows it.
create or replace macro definitions_version() as '1';

create or replace macro utc_now() as (now() at time zone 'UTC');

-- Whether an instant can be true: SES is of 2011, and a day ahead is somebody's zone.
-- An event stamped otherwise is kept and counted; no window or newest figure follows.
create or replace macro is_plausible(instant) as (
    instant >= timestamp '2011-01-01' and instant < utc_now() + interval 1 day
);

create or replace macro report_time_zone() as (
    coalesce(
        (
            select max(f.value)
            from warehouse_facts as f
            where f.name = 'report_time_zone'
        ),
        'UTC'
    )
);

-- The day of report_time_zone that a UTC instant lies in. UTC, the default, takes the
-- cheap branch: it needs no time zone arithmetic, and zone maps understand date_trunc.
create or replace macro report_day(instant) as (
    case
        when report_time_zone() = 'UTC' then date_trunc('day', instant)
        else date_trunc(
            'day', (instant at time zone 'UTC') at time zone report_time_zone()
        )
    end::date
);

-- The UTC instant at which a day of report_time_zone starts.
create or replace macro report_day_starts_at(report_day) as (
    (report_day::timestamp at time zone report_time_zone()) at time zone 'UTC'
);

-- Domains that this account verified itself: bounces there don't count for AWS's lines.
create or replace macro own_domains() as (
    coalesce(
        (
            select
                list_transform(
                    string_split(max(f.value), ','), lambda d: lower(trim(d))
                )
            from warehouse_facts as f
            where f.name = 'own_domains'
        ),
        []::varchar[]
    )
);
