-- grain: one row or more per (cohort_day, account, region, configuration_set,
-- identity, provider)
create or replace view mail_daily_by_send_cohort as
with rolled as (
    select r.*
    from rollup_rows('cohort_day') as r
)

select
    t.period_day as cohort_day,
    t.account,
    t.region,
    t.configuration_set,
    coalesce(t.configuration_set, '(none)') as configuration_set_name,
    t.identity,
    t.provider,
    t.sends,
    t.rejects,
    t.rendering_failures,
    t.suppressed,
    t.attempted,
    t.outcomes,
    t.deliveries,
    t.accepted,
    t.single_recipient_deliveries,
    t.fbl_deliveries,
    t.hard_bounces,
    t.soft_bounces,
    t.undetermined_bounces,
    t.block_bounces,
    t.auto_replies,
    t.aws_bounces,
    t.aws_sends,
    t.complaints,
    t.fbl_complaints,
    t.auth_failure_complaints,
    t.virus_complaints,
    t.delays,
    t.ses_delays,
    t.receiver_delays,
    t.unsubscribes,
    t.opens,
    t.machine_opens,
    t.unique_opens,
    t.unique_human_opens,
    t.unique_human_opens_24h,
    t.unique_human_opens_72h,
    t.unique_human_opens_7d,
    t.clicks,
    t.machine_clicks,
    t.unique_clicks,
    t.unique_human_clicks,
    t.unique_human_clicks_24h,
    t.unique_human_clicks_72h,
    t.unique_human_clicks_7d,
    t.unique_engaged,
    t.unique_human_engaged,
    t.attempted_or_outcomes,
    t.delivery_attempts,
    t.delivery_sends,
    t.sent_deliveries,
    t.lost_attempts,
    t.known_outcomes,
    t.delay_attempts,
    t.aws_mail,
    t.open_tracked_deliveries,
    t.click_tracked_deliveries,
    t.list_deliveries,
    report_day_starts_at(t.period_day + 1) as cohort_ends_at
from rollup_tallies('cohort_day', 'rolled') as t;

comment on view mail_daily_by_send_cohort is
'What became of the mail sent on this day, by every dimension that mail is asked about: sum it, and take rates of sums. Every domain has its own lines.';
comment on column mail_daily_by_send_cohort.cohort_day is
'Day of sending in report_time_zone.';
comment on column mail_daily_by_send_cohort.account is
'AWS account that sent.';
comment on column mail_daily_by_send_cohort.region is
'AWS region that sent.';
comment on column mail_daily_by_send_cohort.configuration_set is
'Configuration set of the message.';
comment on column mail_daily_by_send_cohort.configuration_set_name is
'The configuration set, or (none): for labels.';
comment on column mail_daily_by_send_cohort.identity is
'Sending identity: sourceArn''s, else what is known of the source address, else its domain.';
comment on column mail_daily_by_send_cohort.provider is
'Mailbox provider of the recipient; an unlisted domain is its own. NULL where an event can''t be tied to one recipient.';
comment on column mail_daily_by_send_cohort.sends is
'Sends × destinations.';
comment on column mail_daily_by_send_cohort.rejects is
'Rejects × destinations.';
comment on column mail_daily_by_send_cohort.rendering_failures is
'Rendering failures × destinations.';
comment on column mail_daily_by_send_cohort.suppressed is
'Recipients that SES never tried: on its global list, the account''s or tenant''s, failing validation, or unsubscribed.';
comment on column mail_daily_by_send_cohort.attempted is
'Recipients with a Send and with no Reject, Rendering Failure or suppression.';
comment on column mail_daily_by_send_cohort.outcomes is
'Recipients with a Delivery or a bounce that counts, once each, at the earlier of the two.';
comment on column mail_daily_by_send_cohort.deliveries is
'Recipients of Deliveries.';
comment on column mail_daily_by_send_cohort.accepted is
'Deliveries without a bounce that counts, before or after.';
comment on column mail_daily_by_send_cohort.single_recipient_deliveries is
'Deliveries of single-recipient mail.';
comment on column mail_daily_by_send_cohort.fbl_deliveries is
'Deliveries at providers that tell SES who complained.';
comment on column mail_daily_by_send_cohort.hard_bounces is
'Permanent bounces, without suppressed ones.';
comment on column mail_daily_by_send_cohort.soft_bounces is
'Transient bounces, without automatic replies.';
comment on column mail_daily_by_send_cohort.undetermined_bounces is
'Undetermined bounces, without automatic replies.';
comment on column mail_daily_by_send_cohort.block_bounces is
'Bounces of any type that refuse the sender or the content, not the address.';
comment on column mail_daily_by_send_cohort.auto_replies is
'Automatic replies that SES files as bounces.';
comment on column mail_daily_by_send_cohort.aws_bounces is
'Permanent bounces and those of SES''s global suppression list, outside own domains.';
comment on column mail_daily_by_send_cohort.aws_sends is
'Sends outside own domains, without those that the user''s own lists suppressed.';
comment on column mail_daily_by_send_cohort.complaints is
'Spam reports, one a feedbackId, without not-spam, authentication failures, viruses and suppressions.';
comment on column mail_daily_by_send_cohort.fbl_complaints is
'Spam reports from providers that tell SES who complained.';
comment on column mail_daily_by_send_cohort.auth_failure_complaints is
'Authentication failure reports, one a feedbackId.';
comment on column mail_daily_by_send_cohort.virus_complaints is
'Virus reports, one a feedbackId.';
comment on column mail_daily_by_send_cohort.delays is
'Recipients with at least one DeliveryDelay, at the first.';
comment on column mail_daily_by_send_cohort.ses_delays is
'Delays on SES''s side (SendingDeferral, InternalFailure).';
comment on column mail_daily_by_send_cohort.receiver_delays is
'Delays on the receiver''s side.';
comment on column mail_daily_by_send_cohort.unsubscribes is
'Subscription events that opt out of something.';
comment on column mail_daily_by_send_cohort.opens is
'Opens, all of them.';
comment on column mail_daily_by_send_cohort.machine_opens is
'Opens by machines.';
comment on column mail_daily_by_send_cohort.unique_opens is
'Recipients of single-recipient mail that opened.';
comment on column mail_daily_by_send_cohort.unique_human_opens is
'The same by a person.';
comment on column mail_daily_by_send_cohort.unique_human_opens_24h is
'The same within 24 hours of sending.';
comment on column mail_daily_by_send_cohort.unique_human_opens_72h is
'The same within 72 hours of sending.';
comment on column mail_daily_by_send_cohort.unique_human_opens_7d is
'The same within 7 days of sending.';
comment on column mail_daily_by_send_cohort.clicks is
'Clicks, all of them.';
comment on column mail_daily_by_send_cohort.machine_clicks is
'Clicks by machines.';
comment on column mail_daily_by_send_cohort.unique_clicks is
'Recipients of single-recipient mail that clicked.';
comment on column mail_daily_by_send_cohort.unique_human_clicks is
'The same by a person.';
comment on column mail_daily_by_send_cohort.unique_human_clicks_24h is
'The same within 24 hours of sending.';
comment on column mail_daily_by_send_cohort.unique_human_clicks_72h is
'The same within 72 hours of sending.';
comment on column mail_daily_by_send_cohort.unique_human_clicks_7d is
'The same within 7 days of sending.';
comment on column mail_daily_by_send_cohort.unique_engaged is
'Recipients of single-recipient mail that opened or clicked.';
comment on column mail_daily_by_send_cohort.unique_human_engaged is
'The same by a person.';
comment on column mail_daily_by_send_cohort.attempted_or_outcomes is
'Denominator of bounces: attempted, or outcomes where Send is not published.';
comment on column mail_daily_by_send_cohort.delivery_attempts is
'The same where Delivery is published: denominator of accepted_rate.';
comment on column mail_daily_by_send_cohort.delivery_sends is
'Sends where Send and Delivery are published: denominator of delivery_rate.';
comment on column mail_daily_by_send_cohort.sent_deliveries is
'Deliveries where Send and Delivery are published: numerator of delivery_rate.';
comment on column mail_daily_by_send_cohort.lost_attempts is
'Attempted where Send and Delivery are published: denominator of lost_rate.';
comment on column mail_daily_by_send_cohort.known_outcomes is
'Outcomes where Send and Delivery are published: what lost_attempts lose.';
comment on column mail_daily_by_send_cohort.delay_attempts is
'attempted_or_outcomes where DeliveryDelay is published: denominator of delay_rate.';
comment on column mail_daily_by_send_cohort.aws_mail is
'Denominator of aws_bounce_rate: aws_sends, or outcomes and global suppressions outside own domains where Send is not published.';
comment on column mail_daily_by_send_cohort.open_tracked_deliveries is
'Deliveries of single-recipient mail on days while opens were tracked.';
comment on column mail_daily_by_send_cohort.click_tracked_deliveries is
'Deliveries of single-recipient mail on days while clicks were tracked.';
comment on column mail_daily_by_send_cohort.list_deliveries is
'Deliveries of single-recipient mail where SES manages the list: denominator of unsubscribe_rate.';
comment on column mail_daily_by_send_cohort.cohort_ends_at is
'When the day was over (UTC).';
