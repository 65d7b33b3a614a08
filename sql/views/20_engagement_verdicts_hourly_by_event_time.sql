-- grain: one row per
-- (event_hour, account, region, configuration_set, event_type, verdict, judged_by)
-- From events themselves, as links are: an Open or Click counts by its verdict alone.
create or replace view engagement_verdicts_hourly_by_event_time as
with judged as (
    select
        date_trunc('hour', e.event_at) as event_hour,
        e.account,
        e.region,
        e.configuration_set,
        e.event_type,
        case
            when e.machine_rule is not null then 'machine'
            when e.is_bot_event = 'Unlikely' then 'human'
            else 'unknown'
        end as verdict,
        case
            when e.machine_rule is not null then e.machine_rule
            when e.is_bot_event = 'Unlikely' then 'ses_is_bot_event'
        end as judged_by
    from events as e
    where (e.event_type = 'Open' or e.event_type = 'Click') and not e.is_simulator
)

select
    j.event_hour,
    j.account,
    j.region,
    j.configuration_set,
    coalesce(j.configuration_set, '(none)') as configuration_set_name,
    j.event_type,
    j.verdict,
    j.judged_by,
    count(*) as events
from judged as j
group by
    j.event_hour,
    j.account,
    j.region,
    j.configuration_set,
    j.event_type,
    j.verdict,
    j.judged_by;

comment on view engagement_verdicts_hourly_by_event_time is
'Opens and clicks by who is thought to have made them, and by which rule. Metrics that say human count what is human here and what is unknown.';
comment on column engagement_verdicts_hourly_by_event_time.event_hour is
'Full hour (UTC) of the event.';
comment on column engagement_verdicts_hourly_by_event_time.account is
'AWS account that sent.';
comment on column engagement_verdicts_hourly_by_event_time.region is
'AWS region that sent.';
comment on column engagement_verdicts_hourly_by_event_time.configuration_set is
'Configuration set of the message.';
comment on column engagement_verdicts_hourly_by_event_time.configuration_set_name is
'The configuration set, or (none): for labels.';
comment on column engagement_verdicts_hourly_by_event_time.event_type is
'Open or Click.';
comment on column engagement_verdicts_hourly_by_event_time.verdict is
'machine: SES says Likely, or a rule fits. human: no rule fits and SES says Unlikely. unknown: no rule fits and SES says nothing, as before August 2026.';
comment on column engagement_verdicts_hourly_by_event_time.judged_by is
'The rule, or ses_is_bot_event where SES itself says it; NULL where nobody says anything.';
comment on column engagement_verdicts_hourly_by_event_time.events is
'Opens or clicks, all of them.';
