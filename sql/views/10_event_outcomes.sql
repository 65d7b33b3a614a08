-- grain: one row per (event, recipient) outside the mailbox simulator
create or replace view event_outcomes as
select
    e.event_key,
    e.event_type,
    e.event_at,
    e.event_hour,
    e.event_day,
    e.sent_at,
    e.cohort_hour,
    e.cohort_day,
    e.message_id,
    e.recipient,
    e.recipient_domain,
    e.provider,
    e.account,
    e.region,
    e.configuration_set,
    coalesce(e.configuration_set, '(none)') as configuration_set_name,
    e.identity,
    e.own_identity,
    e.source,
    e.identity_without_set,
    e.identity_account,
    e.tenant,
    e.from_domain,
    e.caller_identity,
    e.source_ip,
    e.source_tls_version,
    e.outgoing_ip,
    e.outgoing_tls_version,
    e.tags,
    e.template,
    e.bounce_type,
    e.bounce_sub_type,
    e.bounce_kind,
    e.bounce_class,
    e.status,
    e.delay_type,
    e.link,
    e.link_tags,
    e.machine_rule,
    e.has_feedback_loop,
    e.is_own_domain,
    coalesce(
        e.event_type = 'Send'
        and e.recipient is not null,
        false
    )::integer as sends,
    coalesce(
        e.event_type = 'Reject'
        and e.recipient is not null,
        false
    )::integer as rejects,
    coalesce(
        e.event_type = 'Rendering Failure'
        and e.recipient is not null,
        false
    )::integer as rendering_failures,
    coalesce(
        (e.bounce_kind = 'suppressed' or e.complaint_kind = 'suppressed')
        and e.recipient is not null,
        false
    )::integer as suppressed,
    coalesce(
        e.event_type = 'Send'
        and e.recipient is not null
        and x.message_id is null,
        false
    )::integer as attempted,
    coalesce(
        (
            (
                e.event_type = 'Delivery'
                and e.recipient is not null
                and (coalesce(h.effects, 0) & 1024) = 0
                and not coalesce(
                    is_near_sending(e.event_at, x.bounce_sent_at)
                    and is_before(x.bounced_at, x.bounce_key, e.event_at, e.event_key),
                    false
                )
            )
            or (coalesce(h.effects, 0) & 256) > 0
        ),
        false
    )::integer as outcomes,
    coalesce(
        e.event_type = 'Delivery'
        and e.recipient is not null,
        false
    )::integer as deliveries,
    coalesce(
        e.event_type = 'Delivery'
        and e.recipient is not null
        and not coalesce(is_near_sending(e.event_at, x.bounce_sent_at), false),
        false
    )::integer as accepted,
    coalesce(
        e.event_type = 'Delivery'
        and e.recipient is not null
        and e.destination_count = 1,
        false
    )::integer as single_recipient_deliveries,
    coalesce(
        e.event_type = 'Delivery'
        and e.recipient is not null
        and e.has_feedback_loop,
        false
    )::integer as fbl_deliveries,
    coalesce(
        e.bounce_kind = 'hard'
        and e.recipient is not null,
        false
    )::integer as hard_bounces,
    coalesce(
        e.bounce_kind = 'soft'
        and e.recipient is not null,
        false
    )::integer as soft_bounces,
    coalesce(
        e.bounce_kind = 'undetermined'
        and e.recipient is not null,
        false
    )::integer as undetermined_bounces,
    coalesce(
        e.bounce_kind in ('hard', 'soft', 'undetermined')
        and is_block(e.bounce_class)
        and e.recipient is not null,
        false
    )::integer as block_bounces,
    coalesce(
        e.bounce_kind = 'auto_reply'
        and e.recipient is not null,
        false
    )::integer as auto_replies,
    coalesce(
        e.bounce_type = 'Permanent'
        and (e.bounce_kind = 'hard' or e.bounce_sub_type = 'Suppressed')
        and not e.is_own_domain
        and e.recipient is not null,
        false
    )::integer as aws_bounces,
    coalesce(
        e.event_type = 'Send'
        and e.recipient is not null
        and not e.is_own_domain
        and not coalesce(x.is_suppressed_by_user, false),
        false
    )::integer as aws_sends,
    coalesce((coalesce(h.effects, 0) & 1) > 0, false)::integer as complaints,
    coalesce(
        (coalesce(h.effects, 0) & 1) > 0
        and e.has_feedback_loop,
        false
    )::integer as fbl_complaints,
    coalesce(
        e.complaint_kind = 'auth_failure'
        and (coalesce(h.effects, 0) & 512) > 0,
        false
    )::integer as auth_failure_complaints,
    coalesce(
        e.complaint_kind = 'virus'
        and (coalesce(h.effects, 0) & 512) > 0,
        false
    )::integer as virus_complaints,
    coalesce((coalesce(h.effects, 0) & 2) > 0, false)::integer as delays,
    coalesce(
        (coalesce(h.effects, 0) & 2) > 0
        and delay_side_of(e.delay_type) = 'ses',
        false
    )::integer as ses_delays,
    coalesce(
        (coalesce(h.effects, 0) & 2) > 0
        and delay_side_of(e.delay_type) = 'receiver',
        false
    )::integer as receiver_delays,
    coalesce(
        e.event_type = 'Subscription'
        and e.is_unsubscribe,
        false
    )::integer as unsubscribes,
    coalesce(e.event_type = 'Open', false)::integer as opens,
    coalesce(
        e.event_type = 'Open'
        and e.machine_rule is not null,
        false
    )::integer as machine_opens,
    coalesce((coalesce(h.effects, 0) & 4) > 0, false)::integer as unique_opens,
    coalesce((coalesce(h.effects, 0) & 32) > 0, false)::integer as unique_human_opens,
    coalesce(
        (coalesce(h.effects, 0) & 32) > 0
        and e.event_at <= e.sent_at + interval 24 hour,
        false
    )::integer as unique_human_opens_24h,
    coalesce(
        (coalesce(h.effects, 0) & 32) > 0
        and e.event_at <= e.sent_at + interval 72 hour,
        false
    )::integer as unique_human_opens_72h,
    coalesce(
        (coalesce(h.effects, 0) & 32) > 0
        and e.event_at <= e.sent_at + interval 168 hour,
        false
    )::integer as unique_human_opens_7d,
    coalesce(e.event_type = 'Click', false)::integer as clicks,
    coalesce(
        e.event_type = 'Click'
        and e.machine_rule is not null,
        false
    )::integer as machine_clicks,
    coalesce((coalesce(h.effects, 0) & 8) > 0, false)::integer as unique_clicks,
    coalesce((coalesce(h.effects, 0) & 64) > 0, false)::integer as unique_human_clicks,
    coalesce(
        (coalesce(h.effects, 0) & 64) > 0
        and e.event_at <= e.sent_at + interval 24 hour,
        false
    )::integer as unique_human_clicks_24h,
    coalesce(
        (coalesce(h.effects, 0) & 64) > 0
        and e.event_at <= e.sent_at + interval 72 hour,
        false
    )::integer as unique_human_clicks_72h,
    coalesce(
        (coalesce(h.effects, 0) & 64) > 0
        and e.event_at <= e.sent_at + interval 168 hour,
        false
    )::integer as unique_human_clicks_7d,
    coalesce((coalesce(h.effects, 0) & 16) > 0, false)::integer as unique_engaged,
    coalesce((coalesce(h.effects, 0) & 128) > 0, false)::integer as unique_human_engaged
from countable_events as e
left join delivery_exceptions as x
    on
        e.event_type = x.paired_event_type
        and e.message_id = x.message_id
        and e.recipient = x.recipient
        and e.cohort_hour = x.cohort_hour
        and e.cohort_day = x.cohort_day
left join event_effects as h
    on
        e.event_key = h.event_key
        and e.event_hour = h.event_hour
        and e.event_day = h.event_day
        and e.cohort_hour = h.cohort_hour
        and e.cohort_day = h.cohort_day;

comment on view event_outcomes is
'Every additive count as a 0 or 1 beside its event. Any figure on either time axis is a sum of these; a rollup is the same sum kept.';
comment on column event_outcomes.event_key is
'What makes the event itself, as a 128-bit hash.';
comment on column event_outcomes.event_type is
'SES''s event type, as SES writes it.';
comment on column event_outcomes.event_at is
'When it happened (UTC): the timestamp of the event''s own object.';
comment on column event_outcomes.event_hour is
'Full hour (UTC) of event_at.';
comment on column event_outcomes.event_day is
'Day of event_at in report_time_zone.';
comment on column event_outcomes.sent_at is
'When the message was sent (UTC): mail.timestamp.';
comment on column event_outcomes.cohort_hour is
'Full hour (UTC) of sent_at.';
comment on column event_outcomes.cohort_day is
'Day of sent_at in report_time_zone.';
comment on column event_outcomes.message_id is
'SES''s message id.';
comment on column event_outcomes.recipient is
'The normalised address; NULL where the event cant be tied to one.';
comment on column event_outcomes.recipient_domain is
'Domain of the recipient.';
comment on column event_outcomes.provider is
'Mailbox provider of the recipient; an unmapped domain is its own provider.';
comment on column event_outcomes.account is
'AWS account that sent.';
comment on column event_outcomes.region is
'AWS region that sent.';
comment on column event_outcomes.configuration_set is
'Configuration set of the message.';
comment on column event_outcomes.configuration_set_name is
'The configuration set, or (none): for labels.';
comment on column event_outcomes.identity is
'Sending identity: sourceArn''s, else what is known of the source address, else its domain.';
comment on column event_outcomes.own_identity is
'sourceArn''s identity; NULL where the event names none.';
comment on column event_outcomes.source is
'Address the message was sent from.';
comment on column event_outcomes.identity_without_set is
'The identity where the message has no configuration set: it then stands for the set in coverage and denominators.';
comment on column event_outcomes.identity_account is
'AWS account that owns the identity.';
comment on column event_outcomes.tenant is
'SES tenant of the message.';
comment on column event_outcomes.from_domain is
'Domain of the From address.';
comment on column event_outcomes.caller_identity is
'IAM identity that called SES.';
comment on column event_outcomes.source_ip is
'Address from which SES was called.';
comment on column event_outcomes.source_tls_version is
'TLS version of that call.';
comment on column event_outcomes.outgoing_ip is
'Address from which SES delivered.';
comment on column event_outcomes.outgoing_tls_version is
'TLS version of the delivery.';
comment on column event_outcomes.tags is
'Message tags: every key with its values.';
comment on column event_outcomes.template is
'Template of a Rendering Failure.';
comment on column event_outcomes.bounce_type is
'Permanent, Transient or Undetermined.';
comment on column event_outcomes.bounce_sub_type is
'SES''s bounce subtype.';
comment on column event_outcomes.bounce_kind is
'hard, soft, undetermined, or suppressed and auto_reply, which are no bounces that count.';
comment on column event_outcomes.bounce_class is
'What the bounce is about: invalid_recipient, invalid_domain, mailbox_full, policy, reputation, content, ….';
comment on column event_outcomes.status is
'Enhanced status code (RFC 3463).';
comment on column event_outcomes.delay_type is
'SES''s type of the delay.';
comment on column event_outcomes.link is
'The link of a Click.';
comment on column event_outcomes.link_tags is
'Tags of that link.';
comment on column event_outcomes.machine_rule is
'Rule that judged an Open or Click a machines; NULL is a person.';
comment on column event_outcomes.has_feedback_loop is
'Whether that provider tells SES who complained.';
comment on column event_outcomes.is_own_domain is
'Whether the recipient is in one of the own verified domains (own_domains).';
comment on column event_outcomes.sends is
'Sends × destinations.';
comment on column event_outcomes.rejects is
'Rejects × destinations.';
comment on column event_outcomes.rendering_failures is
'Rendering failures × destinations.';
comment on column event_outcomes.suppressed is
'Recipients that SES never tried: on its global list, the account''s or tenant''s, failing validation, or unsubscribed.';
comment on column event_outcomes.attempted is
'Recipients with a Send and with no Reject, Rendering Failure or suppression.';
comment on column event_outcomes.outcomes is
'Recipients with a Delivery or a bounce that counts, once each, at the earlier of the two.';
comment on column event_outcomes.deliveries is
'Recipients of Deliveries.';
comment on column event_outcomes.accepted is
'Deliveries without a bounce that counts, before or after.';
comment on column event_outcomes.single_recipient_deliveries is
'Deliveries of single-recipient mail.';
comment on column event_outcomes.fbl_deliveries is
'Deliveries at providers that tell SES who complained.';
comment on column event_outcomes.hard_bounces is
'Permanent bounces, without suppressed ones.';
comment on column event_outcomes.soft_bounces is
'Transient bounces, without automatic replies.';
comment on column event_outcomes.undetermined_bounces is
'Undetermined bounces, without automatic replies.';
comment on column event_outcomes.block_bounces is
'Bounces of any type that refuse the sender or the content, not the address.';
comment on column event_outcomes.auto_replies is
'Automatic replies that SES files as bounces.';
comment on column event_outcomes.aws_bounces is
'Permanent bounces and those of SES''s global suppression list, outside own domains.';
comment on column event_outcomes.aws_sends is
'Sends outside own domains, without those that the user''s own lists suppressed.';
comment on column event_outcomes.complaints is
'Spam reports, one a feedbackId, without not-spam, authentication failures, viruses and suppressions.';
comment on column event_outcomes.fbl_complaints is
'Spam reports from providers that tell SES who complained.';
comment on column event_outcomes.auth_failure_complaints is
'Authentication failure reports, one a feedbackId.';
comment on column event_outcomes.virus_complaints is
'Virus reports, one a feedbackId.';
comment on column event_outcomes.delays is
'Recipients with at least one DeliveryDelay, at the first.';
comment on column event_outcomes.ses_delays is
'Delays on SES''s side (SendingDeferral, InternalFailure).';
comment on column event_outcomes.receiver_delays is
'Delays on the receiver''s side.';
comment on column event_outcomes.unsubscribes is
'Subscription events that opt out of something.';
comment on column event_outcomes.opens is
'Opens, all of them.';
comment on column event_outcomes.machine_opens is
'Opens by machines.';
comment on column event_outcomes.unique_opens is
'Recipients of single-recipient mail that opened.';
comment on column event_outcomes.unique_human_opens is
'The same by a person.';
comment on column event_outcomes.unique_human_opens_24h is
'The same within 24 hours of sending.';
comment on column event_outcomes.unique_human_opens_72h is
'The same within 72 hours of sending.';
comment on column event_outcomes.unique_human_opens_7d is
'The same within 7 days of sending.';
comment on column event_outcomes.clicks is
'Clicks, all of them.';
comment on column event_outcomes.machine_clicks is
'Clicks by machines.';
comment on column event_outcomes.unique_clicks is
'Recipients of single-recipient mail that clicked.';
comment on column event_outcomes.unique_human_clicks is
'The same by a person.';
comment on column event_outcomes.unique_human_clicks_24h is
'The same within 24 hours of sending.';
comment on column event_outcomes.unique_human_clicks_72h is
'The same within 72 hours of sending.';
comment on column event_outcomes.unique_human_clicks_7d is
'The same within 7 days of sending.';
comment on column event_outcomes.unique_engaged is
'Recipients of single-recipient mail that opened or clicked.';
comment on column event_outcomes.unique_human_engaged is
'The same by a person.';
