-- grain: one row per (event_hour, account, region, configuration_set)
create or replace view configuration_sets_hourly_by_event_time as
with sums as (
    select c.*
    from configuration_set_sums('event_hour', false) as c
)

select
    r.period as event_hour,
    r.account,
    r.region,
    r.configuration_set,
    coalesce(r.configuration_set, '(none)') as configuration_set_name,
    r.sends,
    r.rejects,
    r.rendering_failures,
    r.suppressed,
    r.attempted,
    r.outcomes,
    r.deliveries,
    r.single_recipient_deliveries,
    r.fbl_deliveries,
    r.hard_bounces,
    r.soft_bounces,
    r.undetermined_bounces,
    r.block_bounces,
    r.auto_replies,
    r.aws_bounces,
    r.aws_sends,
    r.complaints,
    r.fbl_complaints,
    r.auth_failure_complaints,
    r.virus_complaints,
    r.delays,
    r.ses_delays,
    r.receiver_delays,
    r.unsubscribes,
    r.opens,
    r.machine_opens,
    r.unique_opens,
    r.unique_human_opens,
    r.clicks,
    r.machine_clicks,
    r.unique_clicks,
    r.unique_human_clicks,
    r.unique_engaged,
    r.unique_human_engaged,
    r.attempted_or_outcomes,
    r.delivery_sends,
    r.sent_deliveries,
    r.delay_attempts,
    r.aws_mail,
    r.open_tracked_deliveries,
    r.click_tracked_deliveries,
    r.list_deliveries,
    r.delivery_rate,
    r.hard_bounce_rate,
    r.soft_bounce_rate,
    r.undetermined_bounce_rate,
    r.block_bounce_rate,
    r.aws_bounce_rate,
    r.complaint_rate_fbl,
    r.complaint_rate,
    r.delay_rate,
    r.unsubscribe_rate,
    r.unique_open_rate,
    r.unique_click_rate,
    r.click_to_open_rate,
    r.is_small_sample,
    r.denominator_basis,
    r.missing_event_types
from rates_by_event_time('sums') as r;

comment on view configuration_sets_hourly_by_event_time is
'What happened in this hour, by configuration set: each count at its own event''s time. Numerators are no subsets of denominators here; ask the cohort for what became of mail.';
comment on column configuration_sets_hourly_by_event_time.event_hour is
'Full hour (UTC) of event_at.';
comment on column configuration_sets_hourly_by_event_time.account is
'AWS account that sent.';
comment on column configuration_sets_hourly_by_event_time.region is
'AWS region that sent.';
comment on column configuration_sets_hourly_by_event_time.configuration_set is
'Configuration set of the message.';
comment on column configuration_sets_hourly_by_event_time.configuration_set_name is
'The configuration set, or (none): for labels.';
comment on column configuration_sets_hourly_by_event_time.sends is
'Sends × destinations.';
comment on column configuration_sets_hourly_by_event_time.rejects is
'Rejects × destinations.';
comment on column configuration_sets_hourly_by_event_time.rendering_failures is
'Rendering failures × destinations.';
comment on column configuration_sets_hourly_by_event_time.suppressed is
'Recipients that SES never tried: on its global list, the account''s or tenant''s, failing validation, or unsubscribed.';
comment on column configuration_sets_hourly_by_event_time.attempted is
'Recipients with a Send and with no Reject, Rendering Failure or suppression.';
comment on column configuration_sets_hourly_by_event_time.outcomes is
'Recipients with a Delivery or a bounce that counts, once each, at the earlier of the two.';
comment on column configuration_sets_hourly_by_event_time.deliveries is
'Recipients of Deliveries.';
comment on column configuration_sets_hourly_by_event_time.single_recipient_deliveries is
'Deliveries of single-recipient mail.';
comment on column configuration_sets_hourly_by_event_time.fbl_deliveries is
'Deliveries at providers that tell SES who complained.';
comment on column configuration_sets_hourly_by_event_time.hard_bounces is
'Permanent bounces, without suppressed ones.';
comment on column configuration_sets_hourly_by_event_time.soft_bounces is
'Transient bounces, without automatic replies.';
comment on column configuration_sets_hourly_by_event_time.undetermined_bounces is
'Undetermined bounces, without automatic replies.';
comment on column configuration_sets_hourly_by_event_time.block_bounces is
'Bounces of any type that refuse the sender or the content, not the address.';
comment on column configuration_sets_hourly_by_event_time.auto_replies is
'Automatic replies that SES files as bounces.';
comment on column configuration_sets_hourly_by_event_time.aws_bounces is
'Permanent bounces and those of SES''s global suppression list, outside own domains.';
comment on column configuration_sets_hourly_by_event_time.aws_sends is
'Sends outside own domains, without those that the user''s own lists suppressed.';
comment on column configuration_sets_hourly_by_event_time.complaints is
'Spam reports, one a feedbackId, without not-spam, authentication failures, viruses and suppressions.';
comment on column configuration_sets_hourly_by_event_time.fbl_complaints is
'Spam reports from providers that tell SES who complained.';
comment on column configuration_sets_hourly_by_event_time.auth_failure_complaints is
'Authentication failure reports, one a feedbackId.';
comment on column configuration_sets_hourly_by_event_time.virus_complaints is
'Virus reports, one a feedbackId.';
comment on column configuration_sets_hourly_by_event_time.delays is
'Recipients with at least one DeliveryDelay, at the first.';
comment on column configuration_sets_hourly_by_event_time.ses_delays is
'Delays on SES''s side (SendingDeferral, InternalFailure).';
comment on column configuration_sets_hourly_by_event_time.receiver_delays is
'Delays on the receiver''s side.';
comment on column configuration_sets_hourly_by_event_time.unsubscribes is
'Subscription events that opt out of something.';
comment on column configuration_sets_hourly_by_event_time.opens is
'Opens, all of them.';
comment on column configuration_sets_hourly_by_event_time.machine_opens is
'Opens by machines.';
comment on column configuration_sets_hourly_by_event_time.unique_opens is
'Recipients of single-recipient mail that opened.';
comment on column configuration_sets_hourly_by_event_time.unique_human_opens is
'The same by a person.';
comment on column configuration_sets_hourly_by_event_time.clicks is
'Clicks, all of them.';
comment on column configuration_sets_hourly_by_event_time.machine_clicks is
'Clicks by machines.';
comment on column configuration_sets_hourly_by_event_time.unique_clicks is
'Recipients of single-recipient mail that clicked.';
comment on column configuration_sets_hourly_by_event_time.unique_human_clicks is
'The same by a person.';
comment on column configuration_sets_hourly_by_event_time.unique_engaged is
'Recipients of single-recipient mail that opened or clicked.';
comment on column configuration_sets_hourly_by_event_time.unique_human_engaged is
'The same by a person.';
comment on column configuration_sets_hourly_by_event_time.attempted_or_outcomes is
'Denominator of bounces: attempted, or outcomes where Send is not published.';
comment on column configuration_sets_hourly_by_event_time.delivery_sends is
'Sends where Send and Delivery are published: denominator of delivery_rate.';
comment on column configuration_sets_hourly_by_event_time.sent_deliveries is
'Deliveries where Send and Delivery are published: numerator of delivery_rate.';
comment on column configuration_sets_hourly_by_event_time.delay_attempts is
'attempted_or_outcomes where DeliveryDelay is published: denominator of delay_rate.';
comment on column configuration_sets_hourly_by_event_time.aws_mail is
'Denominator of aws_bounce_rate: aws_sends, or outcomes and global suppressions outside own domains where Send is not published.';
comment on column configuration_sets_hourly_by_event_time.open_tracked_deliveries is
'Deliveries of single-recipient mail on days while opens were tracked.';
comment on column configuration_sets_hourly_by_event_time.click_tracked_deliveries is
'Deliveries of single-recipient mail on days while clicks were tracked.';
comment on column configuration_sets_hourly_by_event_time.list_deliveries is
'Deliveries of single-recipient mail where SES manages the list: denominator of unsubscribe_rate.';
comment on column configuration_sets_hourly_by_event_time.delivery_rate is
'Deliveries / sends, where both are published (sent_deliveries / delivery_sends). NULL without denominator.';
comment on column configuration_sets_hourly_by_event_time.hard_bounce_rate is
'Hard_bounces / attempted (or outcomes) (hard_bounces / attempted_or_outcomes). NULL without denominator.';
comment on column configuration_sets_hourly_by_event_time.soft_bounce_rate is
'Soft_bounces / attempted (or outcomes) (soft_bounces / attempted_or_outcomes). NULL without denominator.';
comment on column configuration_sets_hourly_by_event_time.undetermined_bounce_rate is
'Undetermined_bounces / attempted (or outcomes) (undetermined_bounces / attempted_or_outcomes). NULL without denominator.';
comment on column configuration_sets_hourly_by_event_time.block_bounce_rate is
'Block_bounces / attempted (or outcomes) (block_bounces / attempted_or_outcomes). NULL without denominator.';
comment on column configuration_sets_hourly_by_event_time.aws_bounce_rate is
'Aws_bounces / aws_mail: what AWS''s review and pause lines are drawn against (aws_bounces / aws_mail). NULL without denominator.';
comment on column configuration_sets_hourly_by_event_time.complaint_rate_fbl is
'Fbl_complaints / fbl_deliveries: the one that meets AWS''s thresholds (fbl_complaints / fbl_deliveries). NULL without denominator.';
comment on column configuration_sets_hourly_by_event_time.complaint_rate is
'Complaints / deliveries: descriptive, no threshold (complaints / deliveries). NULL without denominator.';
comment on column configuration_sets_hourly_by_event_time.delay_rate is
'Delays / attempted (or outcomes), where DeliveryDelay is published (delays / delay_attempts). NULL without denominator.';
comment on column configuration_sets_hourly_by_event_time.unsubscribe_rate is
'Unsubscribes / deliveries of single-recipient mail, where SES manages the list (unsubscribes / list_deliveries). NULL without denominator.';
comment on column configuration_sets_hourly_by_event_time.unique_open_rate is
'Unique_human_opens / deliveries of single-recipient mail while opens were tracked (unique_human_opens / open_tracked_deliveries). NULL without denominator.';
comment on column configuration_sets_hourly_by_event_time.unique_click_rate is
'Unique_human_clicks / deliveries of single-recipient mail while clicks were tracked (unique_human_clicks / click_tracked_deliveries). NULL without denominator.';
comment on column configuration_sets_hourly_by_event_time.click_to_open_rate is
'Unique_clicks / unique_engaged (unique_clicks / unique_engaged). NULL without denominator.';
comment on column configuration_sets_hourly_by_event_time.is_small_sample is
'Whether attempted_or_outcomes is under 1,000.';
comment on column configuration_sets_hourly_by_event_time.denominator_basis is
'sends, outcomes where Send is not published, or mixed.';
comment on column configuration_sets_hourly_by_event_time.missing_event_types is
'Event types never seen of this configuration set, or identity where there is none.';
