-- grain: one row per (event, recipient) outside the mailbox simulator
create or replace view countable_events as
with p as (
    select
        f.provider,
        bool_or(f.has_feedback_loop) as has_feedback_loop
    from providers as f
    group by f.provider
)

select
    e.event_key,
    e.event_type,
    e.event_at,
    date_trunc('hour', e.event_at) as event_hour,
    report_day(e.event_at) as event_day,
    e.sent_at,
    date_trunc('hour', e.sent_at) as cohort_hour,
    report_day(e.sent_at) as cohort_day,
    e.message_id,
    e.recipient,
    e.recipient_domain,
    e.provider,
    coalesce(p.has_feedback_loop, false) as has_feedback_loop,
    coalesce(list_contains(own_domains(), e.recipient_domain), false) as is_own_domain,
    e.destination_count,
    e.is_attributable,
    e.account,
    e.region,
    e.configuration_set,
    coalesce(e.configuration_set, '(none)') as configuration_set_name,
    coalesce(
        e.identity, i.identity, nullif(split_part(e.source, '@', -1), ''), e.from_domain
    ) as identity,
    e.identity as own_identity,
    e.source,
    case
        when e.configuration_set is null
            then coalesce(
                e.identity,
                i.identity,
                nullif(split_part(e.source, '@', -1), ''),
                e.from_domain
            )
    end as identity_without_set,
    coalesce(e.identity_account, i.identity_account) as identity_account,
    e.tenant,
    e.from_domain,
    e.caller_identity,
    e.source_ip,
    e.source_tls_version,
    e.outgoing_ip,
    e.outgoing_tls_version,
    e.tags,
    e.template,
    e.feedback_id,
    e.bounce_type,
    e.bounce_sub_type,
    bounce_kind_of(e.bounce_type, e.bounce_sub_type, e.is_auto_reply) as bounce_kind,
    e.bounce_rule,
    e.bounce_class,
    e.status,
    case
        when e.event_type = 'Complaint'
            then complaint_kind_of(e.complaint_sub_type, e.complaint_feedback_type)
    end as complaint_kind,
    e.complaint_sub_type,
    e.delay_type,
    e.processing_ms,
    e.link,
    e.link_tags,
    e.machine_rule,
    e.is_unsubscribe,
    coalesce(e.is_ambiguous, false) as is_ambiguous
from events as e
left join identities as i
    on
        e.identity is null
        and e.source = i.source
        and e.account is not distinct from i.account
        and e.region is not distinct from i.region
left join p on e.provider = p.provider
where not e.is_simulator;

comment on view countable_events is
'Events outside the mailbox simulator with what every figure needs to know about them: both time axes, the resolved identity, our classes.';
comment on column countable_events.event_key is
'What makes the event itself, as a 128-bit hash.';
comment on column countable_events.event_type is
'SES''s event type, as SES writes it.';
comment on column countable_events.event_at is
'When it happened (UTC): the timestamp of the event''s own object.';
comment on column countable_events.event_hour is
'Full hour (UTC) of event_at.';
comment on column countable_events.event_day is
'Day of event_at in report_time_zone.';
comment on column countable_events.sent_at is
'When the message was sent (UTC): mail.timestamp.';
comment on column countable_events.cohort_hour is
'Full hour (UTC) of sent_at.';
comment on column countable_events.cohort_day is
'Day of sent_at in report_time_zone.';
comment on column countable_events.message_id is
'SES''s message id.';
comment on column countable_events.recipient is
'The normalised address; NULL where the event cant be tied to one.';
comment on column countable_events.recipient_domain is
'Domain of the recipient.';
comment on column countable_events.provider is
'Mailbox provider of the recipient; an unmapped domain is its own provider.';
comment on column countable_events.has_feedback_loop is
'Whether that provider tells SES who complained.';
comment on column countable_events.is_own_domain is
'Whether the recipient is in one of the own verified domains (own_domains).';
comment on column countable_events.destination_count is
'Destinations of the message.';
comment on column countable_events.is_attributable is
'Whether the event can be tied to one recipient.';
comment on column countable_events.account is
'AWS account that sent.';
comment on column countable_events.region is
'AWS region that sent.';
comment on column countable_events.configuration_set is
'Configuration set of the message.';
comment on column countable_events.configuration_set_name is
'The configuration set, or (none): for labels.';
comment on column countable_events.identity is
'Sending identity: sourceArn''s, else what is known of the source address, else its domain.';
comment on column countable_events.own_identity is
'sourceArn''s identity; NULL where the event names none.';
comment on column countable_events.source is
'Address the message was sent from.';
comment on column countable_events.identity_without_set is
'The identity where the message has no configuration set: it then stands for the set in coverage and denominators.';
comment on column countable_events.identity_account is
'AWS account that owns the identity.';
comment on column countable_events.tenant is
'SES tenant of the message.';
comment on column countable_events.from_domain is
'Domain of the From address.';
comment on column countable_events.caller_identity is
'IAM identity that called SES.';
comment on column countable_events.source_ip is
'Address from which SES was called.';
comment on column countable_events.source_tls_version is
'TLS version of that call.';
comment on column countable_events.outgoing_ip is
'Address from which SES delivered.';
comment on column countable_events.outgoing_tls_version is
'TLS version of the delivery.';
comment on column countable_events.tags is
'Message tags: every key with its values.';
comment on column countable_events.template is
'Template of a Rendering Failure.';
comment on column countable_events.feedback_id is
'SES''s id of a bounce or complaint.';
comment on column countable_events.bounce_type is
'Permanent, Transient or Undetermined.';
comment on column countable_events.bounce_sub_type is
'SES''s bounce subtype.';
comment on column countable_events.bounce_kind is
'hard, soft, undetermined, or suppressed and auto_reply, which are no bounces that count.';
comment on column countable_events.bounce_rule is
'Rule that says so (bounce_rules); NULL where none fits.';
comment on column countable_events.bounce_class is
'What the bounce is about: invalid_recipient, invalid_domain, mailbox_full, policy, reputation, content, ….';
comment on column countable_events.status is
'Enhanced status code (RFC 3463).';
comment on column countable_events.complaint_kind is
'complaint, or suppressed, not_spam, auth_failure and virus, which stay out of the headline.';
comment on column countable_events.complaint_sub_type is
'SES''s subtype: which suppression list refused.';
comment on column countable_events.delay_type is
'SES''s type of the delay.';
comment on column countable_events.processing_ms is
'processingTimeMillis of a Delivery.';
comment on column countable_events.link is
'The link of a Click.';
comment on column countable_events.link_tags is
'Tags of that link.';
comment on column countable_events.machine_rule is
'Rule that judged an Open or Click a machines; NULL is a person.';
comment on column countable_events.is_unsubscribe is
'Whether a Subscription opts out of something.';
comment on column countable_events.is_ambiguous is
'Whether a Complaint lists several possible complainers.';
