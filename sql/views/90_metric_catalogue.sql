-- grain: one row per (metric)
create or replace view metric_catalogue as
select
    m.metric,
    m.kind,
    m.expression,
    m.numerator,
    m.denominator,
    m.axis,
    string_split(m.dimension_groups, ', ') as dimension_groups,
    m.description
from (
    values
    (
        'sends',
        'count',
        'sum(sends)',
        null,
        null,
        'both',
        'message, recipient',
        'Sends × destinations.'
    ),
    (
        'rejects',
        'count',
        'sum(rejects)',
        null,
        null,
        'both',
        'message, recipient',
        'Rejects × destinations.'
    ),
    (
        'rendering_failures',
        'count',
        'sum(rendering_failures)',
        null,
        null,
        'both',
        'message, recipient',
        'Rendering failures × destinations.'
    ),
    (
        'suppressed',
        'count',
        'sum(suppressed)',
        null,
        null,
        'both',
        'message, recipient, bounce',
        'Recipients that SES never tried: on its global list, the account''s or tenant''s, failing validation, or unsubscribed.' -- noqa: LT05
    ),
    (
        'attempted',
        'count',
        'sum(attempted)',
        null,
        null,
        'both',
        'message, recipient',
        'Recipients with a Send and with no Reject, Rendering Failure or suppression.'
    ),
    (
        'outcomes',
        'count',
        'sum(outcomes)',
        null,
        null,
        'both',
        'message, recipient',
        'Recipients with a Delivery or a bounce that counts, once each, at the earlier of the two.' -- noqa: LT05
    ),
    (
        'deliveries',
        'count',
        'sum(deliveries)',
        null,
        null,
        'both',
        'message, recipient, outgoing',
        'Recipients of Deliveries.'
    ),
    (
        'accepted',
        'count',
        'sum(accepted)',
        null,
        null,
        'cohort',
        'message, recipient, outgoing',
        'Deliveries without a bounce that counts, before or after.'
    ),
    (
        'single_recipient_deliveries',
        'count',
        'sum(single_recipient_deliveries)',
        null,
        null,
        'both',
        'message, recipient, outgoing',
        'Deliveries of single-recipient mail.'
    ),
    (
        'fbl_deliveries',
        'count',
        'sum(fbl_deliveries)',
        null,
        null,
        'both',
        'message, recipient, outgoing',
        'Deliveries at providers that tell SES who complained.'
    ),
    (
        'hard_bounces',
        'count',
        'sum(hard_bounces)',
        null,
        null,
        'both',
        'message, recipient, bounce',
        'Permanent bounces, without suppressed ones.'
    ),
    (
        'soft_bounces',
        'count',
        'sum(soft_bounces)',
        null,
        null,
        'both',
        'message, recipient, bounce',
        'Transient bounces, without automatic replies.'
    ),
    (
        'undetermined_bounces',
        'count',
        'sum(undetermined_bounces)',
        null,
        null,
        'both',
        'message, recipient, bounce',
        'Undetermined bounces, without automatic replies.'
    ),
    (
        'block_bounces',
        'count',
        'sum(block_bounces)',
        null,
        null,
        'both',
        'message, recipient, bounce',
        'Bounces of any type that refuse the sender or the content, not the address.'
    ),
    (
        'auto_replies',
        'count',
        'sum(auto_replies)',
        null,
        null,
        'both',
        'message, recipient, bounce',
        'Automatic replies that SES files as bounces.'
    ),
    (
        'aws_bounces',
        'count',
        'sum(aws_bounces)',
        null,
        null,
        'both',
        'message, recipient, bounce',
        'Permanent bounces and those of SES''s global suppression list, outside own domains.' -- noqa: LT05
    ),
    (
        'aws_sends',
        'count',
        'sum(aws_sends)',
        null,
        null,
        'both',
        'message, recipient',
        'Sends outside own domains, without those that the user''s own lists suppressed.' -- noqa: LT05
    ),
    (
        'complaints',
        'count',
        'sum(complaints)',
        null,
        null,
        'both',
        'message, recipient',
        'Spam reports, one a feedbackId, without not-spam, authentication failures, viruses and suppressions.' -- noqa: LT05
    ),
    (
        'fbl_complaints',
        'count',
        'sum(fbl_complaints)',
        null,
        null,
        'both',
        'message, recipient',
        'Spam reports from providers that tell SES who complained.'
    ),
    (
        'auth_failure_complaints',
        'count',
        'sum(auth_failure_complaints)',
        null,
        null,
        'both',
        'message, recipient',
        'Authentication failure reports, one a feedbackId.'
    ),
    (
        'virus_complaints',
        'count',
        'sum(virus_complaints)',
        null,
        null,
        'both',
        'message, recipient',
        'Virus reports, one a feedbackId.'
    ),
    (
        'delays',
        'count',
        'sum(delays)',
        null,
        null,
        'both',
        'message, recipient',
        'Recipients with at least one DeliveryDelay, at the first.'
    ),
    (
        'ses_delays',
        'count',
        'sum(ses_delays)',
        null,
        null,
        'both',
        'message, recipient',
        'Delays on SES''s side (SendingDeferral, InternalFailure).'
    ),
    (
        'receiver_delays',
        'count',
        'sum(receiver_delays)',
        null,
        null,
        'both',
        'message, recipient',
        'Delays on the receiver''s side.'
    ),
    (
        'unsubscribes',
        'count',
        'sum(unsubscribes)',
        null,
        null,
        'both',
        'message',
        'Subscription events that opt out of something.'
    ),
    (
        'opens',
        'count',
        'sum(opens)',
        null,
        null,
        'both',
        'message',
        'Opens, all of them.'
    ),
    (
        'machine_opens',
        'count',
        'sum(machine_opens)',
        null,
        null,
        'both',
        'message',
        'Opens by machines.'
    ),
    (
        'unique_opens',
        'count',
        'sum(unique_opens)',
        null,
        null,
        'both',
        'message, recipient',
        'Recipients of single-recipient mail that opened.'
    ),
    (
        'unique_human_opens',
        'count',
        'sum(unique_human_opens)',
        null,
        null,
        'both',
        'message, recipient',
        'The same by a person.'
    ),
    (
        'unique_human_opens_24h',
        'count',
        'sum(unique_human_opens_24h)',
        null,
        null,
        'cohort',
        'message, recipient',
        'The same within 24 hours of sending.'
    ),
    (
        'unique_human_opens_72h',
        'count',
        'sum(unique_human_opens_72h)',
        null,
        null,
        'cohort',
        'message, recipient',
        'The same within 72 hours of sending.'
    ),
    (
        'unique_human_opens_7d',
        'count',
        'sum(unique_human_opens_7d)',
        null,
        null,
        'cohort',
        'message, recipient',
        'The same within 7 days of sending.'
    ),
    (
        'clicks',
        'count',
        'sum(clicks)',
        null,
        null,
        'both',
        'message, link',
        'Clicks, all of them.'
    ),
    (
        'machine_clicks',
        'count',
        'sum(machine_clicks)',
        null,
        null,
        'both',
        'message, link',
        'Clicks by machines.'
    ),
    (
        'unique_clicks',
        'count',
        'sum(unique_clicks)',
        null,
        null,
        'both',
        'message, recipient, link',
        'Recipients of single-recipient mail that clicked.'
    ),
    (
        'unique_human_clicks',
        'count',
        'sum(unique_human_clicks)',
        null,
        null,
        'both',
        'message, recipient, link',
        'The same by a person.'
    ),
    (
        'unique_human_clicks_24h',
        'count',
        'sum(unique_human_clicks_24h)',
        null,
        null,
        'cohort',
        'message, recipient, link',
        'The same within 24 hours of sending.'
    ),
    (
        'unique_human_clicks_72h',
        'count',
        'sum(unique_human_clicks_72h)',
        null,
        null,
        'cohort',
        'message, recipient, link',
        'The same within 72 hours of sending.'
    ),
    (
        'unique_human_clicks_7d',
        'count',
        'sum(unique_human_clicks_7d)',
        null,
        null,
        'cohort',
        'message, recipient, link',
        'The same within 7 days of sending.'
    ),
    (
        'unique_engaged',
        'count',
        'sum(unique_engaged)',
        null,
        null,
        'both',
        'message, recipient',
        'Recipients of single-recipient mail that opened or clicked.'
    ),
    (
        'unique_human_engaged',
        'count',
        'sum(unique_human_engaged)',
        null,
        null,
        'both',
        'message, recipient',
        'The same by a person.'
    ),
    (
        'attempted_or_outcomes',
        'count',
        'sum(attempted_or_outcomes)',
        null,
        null,
        'both',
        'message, recipient',
        'Denominator of bounces: attempted, or outcomes where Send is not published.'
    ),
    (
        'delivery_attempts',
        'count',
        'sum(delivery_attempts)',
        null,
        null,
        'cohort',
        'message, recipient',
        'The same where Delivery is published: denominator of accepted_rate.'
    ),
    (
        'delivery_sends',
        'count',
        'sum(delivery_sends)',
        null,
        null,
        'both',
        'message, recipient',
        'Sends where Send and Delivery are published: denominator of delivery_rate.'
    ),
    (
        'sent_deliveries',
        'count',
        'sum(sent_deliveries)',
        null,
        null,
        'both',
        'message, recipient, outgoing',
        'Deliveries where Send and Delivery are published: numerator of delivery_rate.'
    ),
    (
        'lost_attempts',
        'count',
        'sum(lost_attempts)',
        null,
        null,
        'cohort',
        'message, recipient',
        'Attempted where Send and Delivery are published: denominator of lost_rate.'
    ),
    (
        'known_outcomes',
        'count',
        'sum(known_outcomes)',
        null,
        null,
        'cohort',
        'message, recipient',
        'Outcomes where Send and Delivery are published: what lost_attempts lose.'
    ),
    (
        'delay_attempts',
        'count',
        'sum(delay_attempts)',
        null,
        null,
        'both',
        'message, recipient',
        'attempted_or_outcomes where DeliveryDelay is published: denominator of delay_rate.' -- noqa: LT05
    ),
    (
        'aws_mail',
        'count',
        'sum(aws_mail)',
        null,
        null,
        'both',
        'message, recipient',
        'Denominator of aws_bounce_rate: aws_sends, or outcomes and global suppressions outside own domains where Send is not published.' -- noqa: LT05
    ),
    (
        'open_tracked_deliveries',
        'count',
        'sum(open_tracked_deliveries)',
        null,
        null,
        'both',
        'message, recipient, outgoing',
        'Deliveries of single-recipient mail on days while opens were tracked.'
    ),
    (
        'click_tracked_deliveries',
        'count',
        'sum(click_tracked_deliveries)',
        null,
        null,
        'both',
        'message, recipient, outgoing',
        'Deliveries of single-recipient mail on days while clicks were tracked.'
    ),
    (
        'list_deliveries',
        'count',
        'sum(list_deliveries)',
        null,
        null,
        'both',
        'message, recipient, outgoing',
        'Deliveries of single-recipient mail where SES manages the list: denominator of unsubscribe_rate.' -- noqa: LT05
    ),
    (
        'lost',
        'count',
        'greatest(0, sum(lost_attempts) - sum(known_outcomes))',
        null,
        null,
        'cohort',
        'message, recipient',
        'Attempted recipients without an outcome, of cohorts older than 24 hours.'
    ),
    (
        'delivery_rate',
        'rate',
        'rate(sent_deliveries, delivery_sends)',
        'sent_deliveries',
        'delivery_sends',
        'both',
        'message, recipient',
        'Deliveries / sends, where both are published.'
    ),
    (
        'accepted_rate',
        'rate',
        'rate(accepted, delivery_attempts)',
        'accepted',
        'delivery_attempts',
        'cohort',
        'message, recipient',
        'Accepted / attempted (or outcomes), where Delivery is published.'
    ),
    (
        'hard_bounce_rate',
        'rate',
        'rate(hard_bounces, attempted_or_outcomes)',
        'hard_bounces',
        'attempted_or_outcomes',
        'both',
        'message, recipient',
        'Hard_bounces / attempted (or outcomes).'
    ),
    (
        'soft_bounce_rate',
        'rate',
        'rate(soft_bounces, attempted_or_outcomes)',
        'soft_bounces',
        'attempted_or_outcomes',
        'both',
        'message, recipient',
        'Soft_bounces / attempted (or outcomes).'
    ),
    (
        'undetermined_bounce_rate',
        'rate',
        'rate(undetermined_bounces, attempted_or_outcomes)',
        'undetermined_bounces',
        'attempted_or_outcomes',
        'both',
        'message, recipient',
        'Undetermined_bounces / attempted (or outcomes).'
    ),
    (
        'block_bounce_rate',
        'rate',
        'rate(block_bounces, attempted_or_outcomes)',
        'block_bounces',
        'attempted_or_outcomes',
        'both',
        'message, recipient',
        'Block_bounces / attempted (or outcomes).'
    ),
    (
        'aws_bounce_rate',
        'rate',
        'rate(aws_bounces, aws_mail)',
        'aws_bounces',
        'aws_mail',
        'both',
        'message, recipient',
        'Aws_bounces / aws_mail: what AWS''s review and pause lines are drawn against.'
    ),
    (
        'complaint_rate_fbl',
        'rate',
        'rate(fbl_complaints, fbl_deliveries)',
        'fbl_complaints',
        'fbl_deliveries',
        'both',
        'message, recipient',
        'Fbl_complaints / fbl_deliveries: the one that meets AWS''s thresholds.'
    ),
    (
        'complaint_rate',
        'rate',
        'rate(complaints, deliveries)',
        'complaints',
        'deliveries',
        'both',
        'message, recipient',
        'Complaints / deliveries: descriptive, no threshold.'
    ),
    (
        'delay_rate',
        'rate',
        'rate(delays, delay_attempts)',
        'delays',
        'delay_attempts',
        'both',
        'message, recipient',
        'Delays / attempted (or outcomes), where DeliveryDelay is published.'
    ),
    (
        'unsubscribe_rate',
        'rate',
        'rate(unsubscribes, list_deliveries)',
        'unsubscribes',
        'list_deliveries',
        'both',
        'message',
        'Unsubscribes / deliveries of single-recipient mail, where SES manages the list.' -- noqa: LT05
    ),
    (
        'unique_open_rate',
        'rate',
        'rate(unique_human_opens, open_tracked_deliveries)',
        'unique_human_opens',
        'open_tracked_deliveries',
        'both',
        'message, recipient',
        'Unique_human_opens / deliveries of single-recipient mail while opens were tracked.' -- noqa: LT05
    ),
    (
        'unique_click_rate',
        'rate',
        'rate(unique_human_clicks, click_tracked_deliveries)',
        'unique_human_clicks',
        'click_tracked_deliveries',
        'both',
        'message, recipient',
        'Unique_human_clicks / deliveries of single-recipient mail while clicks were tracked.' -- noqa: LT05
    ),
    (
        'click_to_open_rate',
        'rate',
        'rate(unique_clicks, unique_engaged)',
        'unique_clicks',
        'unique_engaged',
        'both',
        'message, recipient',
        'Unique_clicks / unique_engaged.'
    ),
    (
        'unique_open_rate_24h',
        'rate',
        'rate(unique_human_opens_24h, open_tracked_deliveries)',
        'unique_human_opens_24h',
        'open_tracked_deliveries',
        'cohort',
        'message, recipient',
        'The same as unique_open_rate, within 24 hours of sending.'
    ),
    (
        'unique_open_rate_72h',
        'rate',
        'rate(unique_human_opens_72h, open_tracked_deliveries)',
        'unique_human_opens_72h',
        'open_tracked_deliveries',
        'cohort',
        'message, recipient',
        'The same as unique_open_rate, within 72 hours of sending.'
    ),
    (
        'unique_open_rate_7d',
        'rate',
        'rate(unique_human_opens_7d, open_tracked_deliveries)',
        'unique_human_opens_7d',
        'open_tracked_deliveries',
        'cohort',
        'message, recipient',
        'The same as unique_open_rate, within 7 days of sending.'
    ),
    (
        'unique_click_rate_24h',
        'rate',
        'rate(unique_human_clicks_24h, click_tracked_deliveries)',
        'unique_human_clicks_24h',
        'click_tracked_deliveries',
        'cohort',
        'message, recipient',
        'The same as unique_click_rate, within 24 hours of sending.'
    ),
    (
        'unique_click_rate_72h',
        'rate',
        'rate(unique_human_clicks_72h, click_tracked_deliveries)',
        'unique_human_clicks_72h',
        'click_tracked_deliveries',
        'cohort',
        'message, recipient',
        'The same as unique_click_rate, within 72 hours of sending.'
    ),
    (
        'unique_click_rate_7d',
        'rate',
        'rate(unique_human_clicks_7d, click_tracked_deliveries)',
        'unique_human_clicks_7d',
        'click_tracked_deliveries',
        'cohort',
        'message, recipient',
        'The same as unique_click_rate, within 7 days of sending.'
    ),
    (
        'lost_rate',
        'rate',
        'rate(lost, lost_attempts)',
        'lost',
        'lost_attempts',
        'cohort',
        'message, recipient',
        'Lost / attempted, where Send and Delivery are published.'
    )
) as m (
    metric,
    kind,
    expression,
    numerator,
    denominator,
    axis,
    dimension_groups,
    description
);

comment on view metric_catalogue is
'Every count and rate, what it is made of, and the dimensions it has: what a question may combine.';
comment on column metric_catalogue.metric is
'Name of the column.';
comment on column metric_catalogue.kind is
'count or rate.';
comment on column metric_catalogue.expression is
'A count over event_tallies; a rate over their sums.';
comment on column metric_catalogue.numerator is
'Column over which the rate is taken; NULL for counts.';
comment on column metric_catalogue.denominator is
'Column under it; NULL for counts.';
comment on column metric_catalogue.axis is
'both, or cohort for what exists by send cohort only.';
comment on column metric_catalogue.dimension_groups is
'Groups of dimension_catalogue that the metric has.';
comment on column metric_catalogue.description is
'What it counts.';
