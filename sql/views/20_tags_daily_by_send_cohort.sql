-- grain: one row per (cohort_day, account, region, configuration_set, tag_key,
-- tag_value)
create or replace view tags_daily_by_send_cohort as
with rolled as (
    select r.*
    from tag_rollup_rows() as r
)

select
    t.period_day as cohort_day,
    t.account,
    t.region,
    t.configuration_set,
    coalesce(t.configuration_set, '(none)') as configuration_set_name,
    t.tag_key,
    t.tag_value,
    sum(t.sends)::bigint as sends,
    sum(t.attempted)::bigint as attempted,
    sum(t.attempted_or_outcomes)::bigint as attempted_or_outcomes,
    sum(t.deliveries)::bigint as deliveries,
    sum(t.accepted)::bigint as accepted,
    sum(t.delivery_attempts)::bigint as delivery_attempts,
    sum(t.hard_bounces)::bigint as hard_bounces,
    sum(t.soft_bounces)::bigint as soft_bounces,
    sum(t.block_bounces)::bigint as block_bounces,
    sum(t.complaints)::bigint as complaints,
    sum(t.fbl_complaints)::bigint as fbl_complaints,
    sum(t.fbl_deliveries)::bigint as fbl_deliveries,
    sum(t.delays)::bigint as delays,
    sum(t.delay_attempts)::bigint as delay_attempts,
    sum(t.opens)::bigint as opens,
    sum(t.machine_opens)::bigint as machine_opens,
    sum(t.unique_human_opens)::bigint as unique_human_opens,
    sum(t.open_tracked_deliveries)::bigint as open_tracked_deliveries,
    sum(t.clicks)::bigint as clicks,
    sum(t.machine_clicks)::bigint as machine_clicks,
    sum(t.unique_human_clicks)::bigint as unique_human_clicks,
    sum(t.click_tracked_deliveries)::bigint as click_tracked_deliveries,
    sum(t.unsubscribes)::bigint as unsubscribes,
    sum(t.list_deliveries)::bigint as list_deliveries
from rollup_tallies('cohort_day', 'rolled') as t
group by
    t.period_day,
    t.account,
    t.region,
    t.configuration_set,
    t.tag_key,
    t.tag_value
having sum(t.events) > 0;

comment on view tags_daily_by_send_cohort is
'What became of the mail sent on this day, by each of its tags: a message counts once under each key it has.';
comment on column tags_daily_by_send_cohort.cohort_day is
'Day of sending in report_time_zone.';
comment on column tags_daily_by_send_cohort.account is
'AWS account that sent.';
comment on column tags_daily_by_send_cohort.region is
'AWS region that sent.';
comment on column tags_daily_by_send_cohort.configuration_set is
'Configuration set of the message.';
comment on column tags_daily_by_send_cohort.configuration_set_name is
'The configuration set, or (none): for labels.';
comment on column tags_daily_by_send_cohort.tag_key is
'Key of a message tag.';
comment on column tags_daily_by_send_cohort.tag_value is
'Its value; several, comma separated, where the message has several. A key with more than 1,000 values on a day has one line that day, (too many values).';
comment on column tags_daily_by_send_cohort.sends is
'Sends × destinations.';
comment on column tags_daily_by_send_cohort.attempted is
'Recipients with a Send and with no Reject, Rendering Failure or suppression.';
comment on column tags_daily_by_send_cohort.attempted_or_outcomes is
'Denominator of bounces: attempted, or outcomes where Send is not published.';
comment on column tags_daily_by_send_cohort.deliveries is
'Recipients of Deliveries.';
comment on column tags_daily_by_send_cohort.accepted is
'Deliveries without a bounce that counts, before or after.';
comment on column tags_daily_by_send_cohort.delivery_attempts is
'The same where Delivery is published: denominator of accepted_rate.';
comment on column tags_daily_by_send_cohort.hard_bounces is
'Permanent bounces, without suppressed ones.';
comment on column tags_daily_by_send_cohort.soft_bounces is
'Transient bounces, without automatic replies.';
comment on column tags_daily_by_send_cohort.block_bounces is
'Bounces of any type that refuse the sender or the content, not the address.';
comment on column tags_daily_by_send_cohort.complaints is
'Spam reports, one a feedbackId, without not-spam, authentication failures, viruses and suppressions.';
comment on column tags_daily_by_send_cohort.fbl_complaints is
'Spam reports from providers that tell SES who complained.';
comment on column tags_daily_by_send_cohort.fbl_deliveries is
'Deliveries at providers that tell SES who complained.';
comment on column tags_daily_by_send_cohort.delays is
'Recipients with at least one DeliveryDelay, at the first.';
comment on column tags_daily_by_send_cohort.delay_attempts is
'attempted_or_outcomes where DeliveryDelay is published: denominator of delay_rate.';
comment on column tags_daily_by_send_cohort.opens is
'Opens, all of them.';
comment on column tags_daily_by_send_cohort.machine_opens is
'Opens by machines.';
comment on column tags_daily_by_send_cohort.unique_human_opens is
'The same by a person.';
comment on column tags_daily_by_send_cohort.open_tracked_deliveries is
'Deliveries of single-recipient mail on days while opens were tracked.';
comment on column tags_daily_by_send_cohort.clicks is
'Clicks, all of them.';
comment on column tags_daily_by_send_cohort.machine_clicks is
'Clicks by machines.';
comment on column tags_daily_by_send_cohort.unique_human_clicks is
'The same by a person.';
comment on column tags_daily_by_send_cohort.click_tracked_deliveries is
'Deliveries of single-recipient mail on days while clicks were tracked.';
comment on column tags_daily_by_send_cohort.unsubscribes is
'Subscription events that opt out of something.';
comment on column tags_daily_by_send_cohort.list_deliveries is
'Deliveries of single-recipient mail where SES manages the list: denominator of unsubscribe_rate.';
