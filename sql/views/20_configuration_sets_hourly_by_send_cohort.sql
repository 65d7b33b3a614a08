-- grain: one row per (cohort_hour, account, region, configuration_set)
create or replace view configuration_sets_hourly_by_send_cohort as
with sums as (
    select
        c.*,
        c.period + interval 1 hour as cohort_ends_at
    from configuration_set_sums('cohort_hour', false) as c
)

select
    r.period as cohort_hour,
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
    r.accepted,
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
    r.unique_human_opens_24h,
    r.unique_human_opens_72h,
    r.unique_human_opens_7d,
    r.clicks,
    r.machine_clicks,
    r.unique_clicks,
    r.unique_human_clicks,
    r.unique_human_clicks_24h,
    r.unique_human_clicks_72h,
    r.unique_human_clicks_7d,
    r.unique_engaged,
    r.unique_human_engaged,
    r.attempted_or_outcomes,
    r.delivery_attempts,
    r.delivery_sends,
    r.sent_deliveries,
    r.lost_attempts,
    r.known_outcomes,
    r.delay_attempts,
    r.aws_mail,
    r.open_tracked_deliveries,
    r.click_tracked_deliveries,
    r.list_deliveries,
    r.lost,
    r.delivery_rate,
    r.delivery_rate_low,
    r.delivery_rate_high,
    r.accepted_rate,
    r.accepted_rate_low,
    r.accepted_rate_high,
    r.hard_bounce_rate,
    r.hard_bounce_rate_low,
    r.hard_bounce_rate_high,
    r.soft_bounce_rate,
    r.soft_bounce_rate_low,
    r.soft_bounce_rate_high,
    r.undetermined_bounce_rate,
    r.undetermined_bounce_rate_low,
    r.undetermined_bounce_rate_high,
    r.block_bounce_rate,
    r.block_bounce_rate_low,
    r.block_bounce_rate_high,
    r.aws_bounce_rate,
    r.aws_bounce_rate_low,
    r.aws_bounce_rate_high,
    r.complaint_rate_fbl,
    r.complaint_rate_fbl_low,
    r.complaint_rate_fbl_high,
    r.complaint_rate,
    r.complaint_rate_low,
    r.complaint_rate_high,
    r.delay_rate,
    r.delay_rate_low,
    r.delay_rate_high,
    r.unsubscribe_rate,
    r.unsubscribe_rate_low,
    r.unsubscribe_rate_high,
    r.unique_open_rate,
    r.unique_open_rate_low,
    r.unique_open_rate_high,
    r.unique_click_rate,
    r.unique_click_rate_low,
    r.unique_click_rate_high,
    r.click_to_open_rate,
    r.click_to_open_rate_low,
    r.click_to_open_rate_high,
    r.unique_open_rate_24h,
    r.unique_open_rate_24h_low,
    r.unique_open_rate_24h_high,
    r.unique_open_rate_72h,
    r.unique_open_rate_72h_low,
    r.unique_open_rate_72h_high,
    r.unique_open_rate_7d,
    r.unique_open_rate_7d_low,
    r.unique_open_rate_7d_high,
    r.unique_click_rate_24h,
    r.unique_click_rate_24h_low,
    r.unique_click_rate_24h_high,
    r.unique_click_rate_72h,
    r.unique_click_rate_72h_low,
    r.unique_click_rate_72h_high,
    r.unique_click_rate_7d,
    r.unique_click_rate_7d_low,
    r.unique_click_rate_7d_high,
    r.lost_rate,
    r.lost_rate_low,
    r.lost_rate_high,
    r.is_small_sample,
    r.cohort_ends_at,
    r.cohort_age_hours,
    r.bounce_maturity,
    r.is_preliminary,
    r.is_mature_for_bounces,
    r.is_mature_for_complaints,
    r.is_mature_for_engagement,
    r.denominator_basis,
    r.missing_event_types
from rates_by_send_cohort('sums') as r;

comment on view configuration_sets_hourly_by_send_cohort is
'What became of the mail sent in this hour, by configuration set, whenever it happened.';
comment on column configuration_sets_hourly_by_send_cohort.cohort_hour is
'Full hour (UTC) of sent_at.';
comment on column configuration_sets_hourly_by_send_cohort.account is
'AWS account that sent.';
comment on column configuration_sets_hourly_by_send_cohort.region is
'AWS region that sent.';
comment on column configuration_sets_hourly_by_send_cohort.configuration_set is
'Configuration set of the message.';
comment on column configuration_sets_hourly_by_send_cohort.configuration_set_name is
'The configuration set, or (none): for labels.';
comment on column configuration_sets_hourly_by_send_cohort.sends is
'Sends × destinations.';
comment on column configuration_sets_hourly_by_send_cohort.rejects is
'Rejects × destinations.';
comment on column configuration_sets_hourly_by_send_cohort.rendering_failures is
'Rendering failures × destinations.';
comment on column configuration_sets_hourly_by_send_cohort.suppressed is
'Recipients that SES never tried: on its global list, the account''s or tenant''s, failing validation, or unsubscribed.';
comment on column configuration_sets_hourly_by_send_cohort.attempted is
'Recipients with a Send and with no Reject, Rendering Failure or suppression.';
comment on column configuration_sets_hourly_by_send_cohort.outcomes is
'Recipients with a Delivery or a bounce that counts, once each, at the earlier of the two.';
comment on column configuration_sets_hourly_by_send_cohort.deliveries is
'Recipients of Deliveries.';
comment on column configuration_sets_hourly_by_send_cohort.accepted is
'Deliveries without a bounce that counts, before or after.';
comment on column configuration_sets_hourly_by_send_cohort.single_recipient_deliveries is
'Deliveries of single-recipient mail.';
comment on column configuration_sets_hourly_by_send_cohort.fbl_deliveries is
'Deliveries at providers that tell SES who complained.';
comment on column configuration_sets_hourly_by_send_cohort.hard_bounces is
'Permanent bounces, without suppressed ones.';
comment on column configuration_sets_hourly_by_send_cohort.soft_bounces is
'Transient bounces, without automatic replies.';
comment on column configuration_sets_hourly_by_send_cohort.undetermined_bounces is
'Undetermined bounces, without automatic replies.';
comment on column configuration_sets_hourly_by_send_cohort.block_bounces is
'Bounces of any type that refuse the sender or the content, not the address.';
comment on column configuration_sets_hourly_by_send_cohort.auto_replies is
'Automatic replies that SES files as bounces.';
comment on column configuration_sets_hourly_by_send_cohort.aws_bounces is
'Permanent bounces and those of SES''s global suppression list, outside own domains.';
comment on column configuration_sets_hourly_by_send_cohort.aws_sends is
'Sends outside own domains, without those that the user''s own lists suppressed.';
comment on column configuration_sets_hourly_by_send_cohort.complaints is
'Spam reports, one a feedbackId, without not-spam, authentication failures, viruses and suppressions.';
comment on column configuration_sets_hourly_by_send_cohort.fbl_complaints is
'Spam reports from providers that tell SES who complained.';
comment on column configuration_sets_hourly_by_send_cohort.auth_failure_complaints is
'Authentication failure reports, one a feedbackId.';
comment on column configuration_sets_hourly_by_send_cohort.virus_complaints is
'Virus reports, one a feedbackId.';
comment on column configuration_sets_hourly_by_send_cohort.delays is
'Recipients with at least one DeliveryDelay, at the first.';
comment on column configuration_sets_hourly_by_send_cohort.ses_delays is
'Delays on SES''s side (SendingDeferral, InternalFailure).';
comment on column configuration_sets_hourly_by_send_cohort.receiver_delays is
'Delays on the receiver''s side.';
comment on column configuration_sets_hourly_by_send_cohort.unsubscribes is
'Subscription events that opt out of something.';
comment on column configuration_sets_hourly_by_send_cohort.opens is
'Opens, all of them.';
comment on column configuration_sets_hourly_by_send_cohort.machine_opens is
'Opens by machines.';
comment on column configuration_sets_hourly_by_send_cohort.unique_opens is
'Recipients of single-recipient mail that opened.';
comment on column configuration_sets_hourly_by_send_cohort.unique_human_opens is
'The same by a person.';
comment on column configuration_sets_hourly_by_send_cohort.unique_human_opens_24h is
'The same within 24 hours of sending.';
comment on column configuration_sets_hourly_by_send_cohort.unique_human_opens_72h is
'The same within 72 hours of sending.';
comment on column configuration_sets_hourly_by_send_cohort.unique_human_opens_7d is
'The same within 7 days of sending.';
comment on column configuration_sets_hourly_by_send_cohort.clicks is
'Clicks, all of them.';
comment on column configuration_sets_hourly_by_send_cohort.machine_clicks is
'Clicks by machines.';
comment on column configuration_sets_hourly_by_send_cohort.unique_clicks is
'Recipients of single-recipient mail that clicked.';
comment on column configuration_sets_hourly_by_send_cohort.unique_human_clicks is
'The same by a person.';
comment on column configuration_sets_hourly_by_send_cohort.unique_human_clicks_24h is
'The same within 24 hours of sending.';
comment on column configuration_sets_hourly_by_send_cohort.unique_human_clicks_72h is
'The same within 72 hours of sending.';
comment on column configuration_sets_hourly_by_send_cohort.unique_human_clicks_7d is
'The same within 7 days of sending.';
comment on column configuration_sets_hourly_by_send_cohort.unique_engaged is
'Recipients of single-recipient mail that opened or clicked.';
comment on column configuration_sets_hourly_by_send_cohort.unique_human_engaged is
'The same by a person.';
comment on column configuration_sets_hourly_by_send_cohort.attempted_or_outcomes is
'Denominator of bounces: attempted, or outcomes where Send is not published.';
comment on column configuration_sets_hourly_by_send_cohort.delivery_attempts is
'The same where Delivery is published: denominator of accepted_rate.';
comment on column configuration_sets_hourly_by_send_cohort.delivery_sends is
'Sends where Send and Delivery are published: denominator of delivery_rate.';
comment on column configuration_sets_hourly_by_send_cohort.sent_deliveries is
'Deliveries where Send and Delivery are published: numerator of delivery_rate.';
comment on column configuration_sets_hourly_by_send_cohort.lost_attempts is
'Attempted where Send and Delivery are published: denominator of lost_rate.';
comment on column configuration_sets_hourly_by_send_cohort.known_outcomes is
'Outcomes where Send and Delivery are published: what lost_attempts lose.';
comment on column configuration_sets_hourly_by_send_cohort.delay_attempts is
'attempted_or_outcomes where DeliveryDelay is published: denominator of delay_rate.';
comment on column configuration_sets_hourly_by_send_cohort.aws_mail is
'Denominator of aws_bounce_rate: aws_sends, or outcomes and global suppressions outside own domains where Send is not published.';
comment on column configuration_sets_hourly_by_send_cohort.open_tracked_deliveries is
'Deliveries of single-recipient mail on days while opens were tracked.';
comment on column configuration_sets_hourly_by_send_cohort.click_tracked_deliveries is
'Deliveries of single-recipient mail on days while clicks were tracked.';
comment on column configuration_sets_hourly_by_send_cohort.list_deliveries is
'Deliveries of single-recipient mail where SES manages the list: denominator of unsubscribe_rate.';
comment on column configuration_sets_hourly_by_send_cohort.lost is
'Attempted recipients without an outcome, of cohorts older than 24 hours; NULL unless Send and Delivery are published.';
comment on column configuration_sets_hourly_by_send_cohort.delivery_rate is
'Deliveries / sends, where both are published (sent_deliveries / delivery_sends). NULL without denominator.';
comment on column configuration_sets_hourly_by_send_cohort.delivery_rate_low is
'Lower end of the 95 % Wilson interval of delivery_rate.';
comment on column configuration_sets_hourly_by_send_cohort.delivery_rate_high is
'Upper end of the 95 % Wilson interval of delivery_rate.';
comment on column configuration_sets_hourly_by_send_cohort.accepted_rate is
'Accepted / attempted (or outcomes), where Delivery is published (accepted / delivery_attempts). NULL without denominator.';
comment on column configuration_sets_hourly_by_send_cohort.accepted_rate_low is
'Lower end of the 95 % Wilson interval of accepted_rate.';
comment on column configuration_sets_hourly_by_send_cohort.accepted_rate_high is
'Upper end of the 95 % Wilson interval of accepted_rate.';
comment on column configuration_sets_hourly_by_send_cohort.hard_bounce_rate is
'Hard_bounces / attempted (or outcomes) (hard_bounces / attempted_or_outcomes). NULL without denominator.';
comment on column configuration_sets_hourly_by_send_cohort.hard_bounce_rate_low is
'Lower end of the 95 % Wilson interval of hard_bounce_rate.';
comment on column configuration_sets_hourly_by_send_cohort.hard_bounce_rate_high is
'Upper end of the 95 % Wilson interval of hard_bounce_rate.';
comment on column configuration_sets_hourly_by_send_cohort.soft_bounce_rate is
'Soft_bounces / attempted (or outcomes) (soft_bounces / attempted_or_outcomes). NULL without denominator.';
comment on column configuration_sets_hourly_by_send_cohort.soft_bounce_rate_low is
'Lower end of the 95 % Wilson interval of soft_bounce_rate.';
comment on column configuration_sets_hourly_by_send_cohort.soft_bounce_rate_high is
'Upper end of the 95 % Wilson interval of soft_bounce_rate.';
comment on column configuration_sets_hourly_by_send_cohort.undetermined_bounce_rate is
'Undetermined_bounces / attempted (or outcomes) (undetermined_bounces / attempted_or_outcomes). NULL without denominator.';
comment on column configuration_sets_hourly_by_send_cohort.undetermined_bounce_rate_low is
'Lower end of the 95 % Wilson interval of undetermined_bounce_rate.';
comment on column configuration_sets_hourly_by_send_cohort.undetermined_bounce_rate_high is
'Upper end of the 95 % Wilson interval of undetermined_bounce_rate.';
comment on column configuration_sets_hourly_by_send_cohort.block_bounce_rate is
'Block_bounces / attempted (or outcomes) (block_bounces / attempted_or_outcomes). NULL without denominator.';
comment on column configuration_sets_hourly_by_send_cohort.block_bounce_rate_low is
'Lower end of the 95 % Wilson interval of block_bounce_rate.';
comment on column configuration_sets_hourly_by_send_cohort.block_bounce_rate_high is
'Upper end of the 95 % Wilson interval of block_bounce_rate.';
comment on column configuration_sets_hourly_by_send_cohort.aws_bounce_rate is
'Aws_bounces / aws_mail: what AWS''s review and pause lines are drawn against (aws_bounces / aws_mail). NULL without denominator.';
comment on column configuration_sets_hourly_by_send_cohort.aws_bounce_rate_low is
'Lower end of the 95 % Wilson interval of aws_bounce_rate.';
comment on column configuration_sets_hourly_by_send_cohort.aws_bounce_rate_high is
'Upper end of the 95 % Wilson interval of aws_bounce_rate.';
comment on column configuration_sets_hourly_by_send_cohort.complaint_rate_fbl is
'Fbl_complaints / fbl_deliveries: the one that meets AWS''s thresholds (fbl_complaints / fbl_deliveries). NULL without denominator.';
comment on column configuration_sets_hourly_by_send_cohort.complaint_rate_fbl_low is
'Lower end of the 95 % Wilson interval of complaint_rate_fbl.';
comment on column configuration_sets_hourly_by_send_cohort.complaint_rate_fbl_high is
'Upper end of the 95 % Wilson interval of complaint_rate_fbl.';
comment on column configuration_sets_hourly_by_send_cohort.complaint_rate is
'Complaints / deliveries: descriptive, no threshold (complaints / deliveries). NULL without denominator.';
comment on column configuration_sets_hourly_by_send_cohort.complaint_rate_low is
'Lower end of the 95 % Wilson interval of complaint_rate.';
comment on column configuration_sets_hourly_by_send_cohort.complaint_rate_high is
'Upper end of the 95 % Wilson interval of complaint_rate.';
comment on column configuration_sets_hourly_by_send_cohort.delay_rate is
'Delays / attempted (or outcomes), where DeliveryDelay is published (delays / delay_attempts). NULL without denominator.';
comment on column configuration_sets_hourly_by_send_cohort.delay_rate_low is
'Lower end of the 95 % Wilson interval of delay_rate.';
comment on column configuration_sets_hourly_by_send_cohort.delay_rate_high is
'Upper end of the 95 % Wilson interval of delay_rate.';
comment on column configuration_sets_hourly_by_send_cohort.unsubscribe_rate is
'Unsubscribes / deliveries of single-recipient mail, where SES manages the list (unsubscribes / list_deliveries). NULL without denominator.';
comment on column configuration_sets_hourly_by_send_cohort.unsubscribe_rate_low is
'Lower end of the 95 % Wilson interval of unsubscribe_rate.';
comment on column configuration_sets_hourly_by_send_cohort.unsubscribe_rate_high is
'Upper end of the 95 % Wilson interval of unsubscribe_rate.';
comment on column configuration_sets_hourly_by_send_cohort.unique_open_rate is
'Unique_human_opens / deliveries of single-recipient mail while opens were tracked (unique_human_opens / open_tracked_deliveries). NULL without denominator.';
comment on column configuration_sets_hourly_by_send_cohort.unique_open_rate_low is
'Lower end of the 95 % Wilson interval of unique_open_rate.';
comment on column configuration_sets_hourly_by_send_cohort.unique_open_rate_high is
'Upper end of the 95 % Wilson interval of unique_open_rate.';
comment on column configuration_sets_hourly_by_send_cohort.unique_click_rate is
'Unique_human_clicks / deliveries of single-recipient mail while clicks were tracked (unique_human_clicks / click_tracked_deliveries). NULL without denominator.';
comment on column configuration_sets_hourly_by_send_cohort.unique_click_rate_low is
'Lower end of the 95 % Wilson interval of unique_click_rate.';
comment on column configuration_sets_hourly_by_send_cohort.unique_click_rate_high is
'Upper end of the 95 % Wilson interval of unique_click_rate.';
comment on column configuration_sets_hourly_by_send_cohort.click_to_open_rate is
'Unique_clicks / unique_engaged (unique_clicks / unique_engaged). NULL without denominator.';
comment on column configuration_sets_hourly_by_send_cohort.click_to_open_rate_low is
'Lower end of the 95 % Wilson interval of click_to_open_rate.';
comment on column configuration_sets_hourly_by_send_cohort.click_to_open_rate_high is
'Upper end of the 95 % Wilson interval of click_to_open_rate.';
comment on column configuration_sets_hourly_by_send_cohort.unique_open_rate_24h is
'The same as unique_open_rate, within 24 hours of sending (unique_human_opens_24h / open_tracked_deliveries). NULL without denominator, and before the cohort is 24 hours old.';
comment on column configuration_sets_hourly_by_send_cohort.unique_open_rate_24h_low is
'Lower end of the 95 % Wilson interval of unique_open_rate_24h.';
comment on column configuration_sets_hourly_by_send_cohort.unique_open_rate_24h_high is
'Upper end of the 95 % Wilson interval of unique_open_rate_24h.';
comment on column configuration_sets_hourly_by_send_cohort.unique_open_rate_72h is
'The same as unique_open_rate, within 72 hours of sending (unique_human_opens_72h / open_tracked_deliveries). NULL without denominator, and before the cohort is 72 hours old.';
comment on column configuration_sets_hourly_by_send_cohort.unique_open_rate_72h_low is
'Lower end of the 95 % Wilson interval of unique_open_rate_72h.';
comment on column configuration_sets_hourly_by_send_cohort.unique_open_rate_72h_high is
'Upper end of the 95 % Wilson interval of unique_open_rate_72h.';
comment on column configuration_sets_hourly_by_send_cohort.unique_open_rate_7d is
'The same as unique_open_rate, within 7 days of sending (unique_human_opens_7d / open_tracked_deliveries). NULL without denominator, and before the cohort is 168 hours old.';
comment on column configuration_sets_hourly_by_send_cohort.unique_open_rate_7d_low is
'Lower end of the 95 % Wilson interval of unique_open_rate_7d.';
comment on column configuration_sets_hourly_by_send_cohort.unique_open_rate_7d_high is
'Upper end of the 95 % Wilson interval of unique_open_rate_7d.';
comment on column configuration_sets_hourly_by_send_cohort.unique_click_rate_24h is
'The same as unique_click_rate, within 24 hours of sending (unique_human_clicks_24h / click_tracked_deliveries). NULL without denominator, and before the cohort is 24 hours old.';
comment on column configuration_sets_hourly_by_send_cohort.unique_click_rate_24h_low is
'Lower end of the 95 % Wilson interval of unique_click_rate_24h.';
comment on column configuration_sets_hourly_by_send_cohort.unique_click_rate_24h_high is
'Upper end of the 95 % Wilson interval of unique_click_rate_24h.';
comment on column configuration_sets_hourly_by_send_cohort.unique_click_rate_72h is
'The same as unique_click_rate, within 72 hours of sending (unique_human_clicks_72h / click_tracked_deliveries). NULL without denominator, and before the cohort is 72 hours old.';
comment on column configuration_sets_hourly_by_send_cohort.unique_click_rate_72h_low is
'Lower end of the 95 % Wilson interval of unique_click_rate_72h.';
comment on column configuration_sets_hourly_by_send_cohort.unique_click_rate_72h_high is
'Upper end of the 95 % Wilson interval of unique_click_rate_72h.';
comment on column configuration_sets_hourly_by_send_cohort.unique_click_rate_7d is
'The same as unique_click_rate, within 7 days of sending (unique_human_clicks_7d / click_tracked_deliveries). NULL without denominator, and before the cohort is 168 hours old.';
comment on column configuration_sets_hourly_by_send_cohort.unique_click_rate_7d_low is
'Lower end of the 95 % Wilson interval of unique_click_rate_7d.';
comment on column configuration_sets_hourly_by_send_cohort.unique_click_rate_7d_high is
'Upper end of the 95 % Wilson interval of unique_click_rate_7d.';
comment on column configuration_sets_hourly_by_send_cohort.lost_rate is
'Lost / attempted, where Send and Delivery are published (lost / lost_attempts). NULL without denominator, and before the cohort is 24 hours old.';
comment on column configuration_sets_hourly_by_send_cohort.lost_rate_low is
'Lower end of the 95 % Wilson interval of lost_rate.';
comment on column configuration_sets_hourly_by_send_cohort.lost_rate_high is
'Upper end of the 95 % Wilson interval of lost_rate.';
comment on column configuration_sets_hourly_by_send_cohort.is_small_sample is
'Whether attempted_or_outcomes is under 1,000.';
comment on column configuration_sets_hourly_by_send_cohort.cohort_ends_at is
'When the cohort''s sending was over (UTC).';
comment on column configuration_sets_hourly_by_send_cohort.cohort_age_hours is
'Hours since then.';
comment on column configuration_sets_hourly_by_send_cohort.bounce_maturity is
'forming under 72 hours after the cohort''s end, preliminary under 7 days, then mature: bounces arrive late.';
comment on column configuration_sets_hourly_by_send_cohort.is_preliminary is
'Whether bounces may still arrive: under 7 days.';
comment on column configuration_sets_hourly_by_send_cohort.is_mature_for_bounces is
'Whether the cohort is 7 days old.';
comment on column configuration_sets_hourly_by_send_cohort.is_mature_for_complaints is
'Whether the cohort is 30 days old.';
comment on column configuration_sets_hourly_by_send_cohort.is_mature_for_engagement is
'Whether the cohort is 60 days old.';
comment on column configuration_sets_hourly_by_send_cohort.denominator_basis is
'sends, outcomes where Send is not published, or mixed.';
comment on column configuration_sets_hourly_by_send_cohort.missing_event_types is
'Event types never seen of this configuration set, or identity where there is none.';
