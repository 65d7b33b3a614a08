-- grain: one row per (event, recipient) outside the mailbox simulator
create or replace view event_tallies as
select
    o.event_key,
    o.event_type,
    o.event_at,
    o.event_hour,
    o.event_day,
    o.sent_at,
    o.cohort_hour,
    o.cohort_day,
    o.message_id,
    o.recipient,
    o.recipient_domain,
    o.provider,
    o.account,
    o.region,
    o.configuration_set,
    coalesce(o.configuration_set, '(none)') as configuration_set_name,
    o.identity,
    o.identity_without_set,
    o.identity_account,
    o.tenant,
    o.from_domain,
    o.caller_identity,
    o.source_ip,
    o.source_tls_version,
    o.outgoing_ip,
    o.outgoing_tls_version,
    o.tags,
    o.template,
    o.bounce_type,
    o.bounce_sub_type,
    o.bounce_kind,
    o.bounce_class,
    o.status,
    o.delay_type,
    o.link,
    o.link_tags,
    o.machine_rule,
    o.has_feedback_loop,
    o.sends,
    o.rejects,
    o.rendering_failures,
    o.suppressed,
    o.attempted,
    o.outcomes,
    o.deliveries,
    o.accepted,
    o.single_recipient_deliveries,
    o.fbl_deliveries,
    o.hard_bounces,
    o.soft_bounces,
    o.undetermined_bounces,
    o.block_bounces,
    o.auto_replies,
    o.aws_bounces,
    o.aws_sends,
    o.complaints,
    o.fbl_complaints,
    o.auth_failure_complaints,
    o.virus_complaints,
    o.delays,
    o.ses_delays,
    o.receiver_delays,
    o.unsubscribes,
    o.opens,
    o.machine_opens,
    o.unique_opens,
    o.unique_human_opens,
    o.unique_human_opens_24h,
    o.unique_human_opens_72h,
    o.unique_human_opens_7d,
    o.clicks,
    o.machine_clicks,
    o.unique_clicks,
    o.unique_human_clicks,
    o.unique_human_clicks_24h,
    o.unique_human_clicks_72h,
    o.unique_human_clicks_7d,
    o.unique_engaged,
    o.unique_human_engaged,
    case
        when d.denominator_basis = 'sends' then o.attempted
        when coalesce(d.is_delivery_published, false) then o.outcomes
        else 0
    end as attempted_or_outcomes,
    case
        when not coalesce(d.is_delivery_published, false) then 0
        when d.denominator_basis = 'sends' then o.attempted
        else o.outcomes
    end as delivery_attempts,
    case
        when
            d.denominator_basis = 'sends'
            and coalesce(d.is_delivery_published, false)
            then o.sends
        else 0
    end as delivery_sends,
    case
        when
            d.denominator_basis = 'sends'
            and coalesce(d.is_delivery_published, false)
            then o.deliveries
        else 0
    end as sent_deliveries,
    case
        when
            d.denominator_basis = 'sends'
            and coalesce(d.is_delivery_published, false)
            then o.attempted
        else 0
    end as lost_attempts,
    case
        when
            d.denominator_basis = 'sends'
            and coalesce(d.is_delivery_published, false)
            then o.outcomes
        else 0
    end as known_outcomes,
    case
        when not coalesce(d.has_delivery_delay, false) then 0
        when d.denominator_basis = 'sends' then o.attempted
        when coalesce(d.is_delivery_published, false) then o.outcomes
        else 0
    end as delay_attempts,
    case
        when d.denominator_basis = 'sends' then o.aws_sends
        when
            coalesce(d.is_delivery_published, false)
            then aws_outcome(
                o.outcomes, o.bounce_sub_type, o.is_own_domain, o.recipient
            )
        else 0
    end as aws_mail,
    case
        when
            o.event_at >= d.opens_from
            and o.event_at < d.opens_until
            then o.single_recipient_deliveries
        else 0
    end as open_tracked_deliveries,
    case
        when
            o.event_at >= d.clicks_from
            and o.event_at < d.clicks_until
            then o.single_recipient_deliveries
        else 0
    end as click_tracked_deliveries,
    case
        when coalesce(d.has_subscription, false) then o.single_recipient_deliveries
        else 0
    end as list_deliveries,
    case when has_basis(o.event_type) then d.denominator_basis end
        as denominator_basis,
    d.missing_event_types
from event_outcomes as o
left join event_publication_days as d
    on
        o.cohort_day = d.cohort_day
        and o.account is not distinct from d.account
        and o.region is not distinct from d.region
        and o.configuration_set is not distinct from d.configuration_set
        and o.identity_without_set is not distinct from d.identity_without_set;

comment on view event_tallies is
'The counting grain: event_outcomes with the denominators that depend on what is published. Sum these by whatever dimension and give the sums to rates_by_event_time or rates_by_send_cohort.';
comment on column event_tallies.event_key is
'What makes the event itself, as a 128-bit hash.';
comment on column event_tallies.event_type is
'SES''s event type, as SES writes it.';
comment on column event_tallies.event_at is
'When it happened (UTC): the timestamp of the event''s own object.';
comment on column event_tallies.event_hour is
'Full hour (UTC) of event_at.';
comment on column event_tallies.event_day is
'Day of event_at in report_time_zone.';
comment on column event_tallies.sent_at is
'When the message was sent (UTC): mail.timestamp.';
comment on column event_tallies.cohort_hour is
'Full hour (UTC) of sent_at.';
comment on column event_tallies.cohort_day is
'Day of sent_at in report_time_zone.';
comment on column event_tallies.message_id is
'SES''s message id.';
comment on column event_tallies.recipient is
'The normalised address; NULL where the event cant be tied to one.';
comment on column event_tallies.recipient_domain is
'Domain of the recipient.';
comment on column event_tallies.provider is
'Mailbox provider of the recipient; an unmapped domain is its own provider.';
comment on column event_tallies.account is
'AWS account that sent.';
comment on column event_tallies.region is
'AWS region that sent.';
comment on column event_tallies.configuration_set is
'Configuration set of the message.';
comment on column event_tallies.configuration_set_name is
'The configuration set, or (none): for labels.';
comment on column event_tallies.identity is
'Sending identity: sourceArn''s, else what is known of the source address, else its domain.';
comment on column event_tallies.identity_without_set is
'The identity where the message has no configuration set: it then stands for the set in coverage and denominators.';
comment on column event_tallies.identity_account is
'AWS account that owns the identity.';
comment on column event_tallies.tenant is
'SES tenant of the message.';
comment on column event_tallies.from_domain is
'Domain of the From address.';
comment on column event_tallies.caller_identity is
'IAM identity that called SES.';
comment on column event_tallies.source_ip is
'Address from which SES was called.';
comment on column event_tallies.source_tls_version is
'TLS version of that call.';
comment on column event_tallies.outgoing_ip is
'Address from which SES delivered.';
comment on column event_tallies.outgoing_tls_version is
'TLS version of the delivery.';
comment on column event_tallies.tags is
'Message tags: every key with its values.';
comment on column event_tallies.template is
'Template of a Rendering Failure.';
comment on column event_tallies.bounce_type is
'Permanent, Transient or Undetermined.';
comment on column event_tallies.bounce_sub_type is
'SES''s bounce subtype.';
comment on column event_tallies.bounce_kind is
'hard, soft, undetermined, or suppressed and auto_reply, which are no bounces that count.';
comment on column event_tallies.bounce_class is
'What the bounce is about: invalid_recipient, invalid_domain, mailbox_full, policy, reputation, content, ….';
comment on column event_tallies.status is
'Enhanced status code (RFC 3463).';
comment on column event_tallies.delay_type is
'SES''s type of the delay.';
comment on column event_tallies.link is
'The link of a Click.';
comment on column event_tallies.link_tags is
'Tags of that link.';
comment on column event_tallies.machine_rule is
'Rule that judged an Open or Click a machines; NULL is a person.';
comment on column event_tallies.has_feedback_loop is
'Whether that provider tells SES who complained.';
comment on column event_tallies.sends is
'Sends × destinations.';
comment on column event_tallies.rejects is
'Rejects × destinations.';
comment on column event_tallies.rendering_failures is
'Rendering failures × destinations.';
comment on column event_tallies.suppressed is
'Recipients that SES never tried: on its global list, the account''s or tenant''s, failing validation, or unsubscribed.';
comment on column event_tallies.attempted is
'Recipients with a Send and with no Reject, Rendering Failure or suppression.';
comment on column event_tallies.outcomes is
'Recipients with a Delivery or a bounce that counts, once each, at the earlier of the two.';
comment on column event_tallies.deliveries is
'Recipients of Deliveries.';
comment on column event_tallies.accepted is
'Deliveries without a bounce that counts, before or after.';
comment on column event_tallies.single_recipient_deliveries is
'Deliveries of single-recipient mail.';
comment on column event_tallies.fbl_deliveries is
'Deliveries at providers that tell SES who complained.';
comment on column event_tallies.hard_bounces is
'Permanent bounces, without suppressed ones.';
comment on column event_tallies.soft_bounces is
'Transient bounces, without automatic replies.';
comment on column event_tallies.undetermined_bounces is
'Undetermined bounces, without automatic replies.';
comment on column event_tallies.block_bounces is
'Bounces of any type that refuse the sender or the content, not the address.';
comment on column event_tallies.auto_replies is
'Automatic replies that SES files as bounces.';
comment on column event_tallies.aws_bounces is
'Permanent bounces and those of SES''s global suppression list, outside own domains.';
comment on column event_tallies.aws_sends is
'Sends outside own domains, without those that the user''s own lists suppressed.';
comment on column event_tallies.complaints is
'Spam reports, one a feedbackId, without not-spam, authentication failures, viruses and suppressions.';
comment on column event_tallies.fbl_complaints is
'Spam reports from providers that tell SES who complained.';
comment on column event_tallies.auth_failure_complaints is
'Authentication failure reports, one a feedbackId.';
comment on column event_tallies.virus_complaints is
'Virus reports, one a feedbackId.';
comment on column event_tallies.delays is
'Recipients with at least one DeliveryDelay, at the first.';
comment on column event_tallies.ses_delays is
'Delays on SES''s side (SendingDeferral, InternalFailure).';
comment on column event_tallies.receiver_delays is
'Delays on the receiver''s side.';
comment on column event_tallies.unsubscribes is
'Subscription events that opt out of something.';
comment on column event_tallies.opens is
'Opens, all of them.';
comment on column event_tallies.machine_opens is
'Opens by machines.';
comment on column event_tallies.unique_opens is
'Recipients of single-recipient mail that opened.';
comment on column event_tallies.unique_human_opens is
'The same by a person.';
comment on column event_tallies.unique_human_opens_24h is
'The same within 24 hours of sending.';
comment on column event_tallies.unique_human_opens_72h is
'The same within 72 hours of sending.';
comment on column event_tallies.unique_human_opens_7d is
'The same within 7 days of sending.';
comment on column event_tallies.clicks is
'Clicks, all of them.';
comment on column event_tallies.machine_clicks is
'Clicks by machines.';
comment on column event_tallies.unique_clicks is
'Recipients of single-recipient mail that clicked.';
comment on column event_tallies.unique_human_clicks is
'The same by a person.';
comment on column event_tallies.unique_human_clicks_24h is
'The same within 24 hours of sending.';
comment on column event_tallies.unique_human_clicks_72h is
'The same within 72 hours of sending.';
comment on column event_tallies.unique_human_clicks_7d is
'The same within 7 days of sending.';
comment on column event_tallies.unique_engaged is
'Recipients of single-recipient mail that opened or clicked.';
comment on column event_tallies.unique_human_engaged is
'The same by a person.';
comment on column event_tallies.attempted_or_outcomes is
'Denominator of bounces: attempted, or outcomes where Send is not published.';
comment on column event_tallies.delivery_attempts is
'The same where Delivery is published: denominator of accepted_rate.';
comment on column event_tallies.delivery_sends is
'Sends where Send and Delivery are published: denominator of delivery_rate.';
comment on column event_tallies.sent_deliveries is
'Deliveries where Send and Delivery are published: numerator of delivery_rate.';
comment on column event_tallies.lost_attempts is
'Attempted where Send and Delivery are published: denominator of lost_rate.';
comment on column event_tallies.known_outcomes is
'Outcomes where Send and Delivery are published: what lost_attempts lose.';
comment on column event_tallies.delay_attempts is
'attempted_or_outcomes where DeliveryDelay is published: denominator of delay_rate.';
comment on column event_tallies.aws_mail is
'Denominator of aws_bounce_rate: aws_sends, or outcomes and global suppressions outside own domains where Send is not published.';
comment on column event_tallies.open_tracked_deliveries is
'Deliveries of single-recipient mail on days while opens were tracked.';
comment on column event_tallies.click_tracked_deliveries is
'Deliveries of single-recipient mail on days while clicks were tracked.';
comment on column event_tallies.list_deliveries is
'Deliveries of single-recipient mail where SES manages the list: denominator of unsubscribe_rate.';
comment on column event_tallies.denominator_basis is
'What stands under rates of this cohort day: sends, or outcomes where Send is not published.';
comment on column event_tallies.missing_event_types is
'Event types never seen of this configuration set, or identity where there is none.';
