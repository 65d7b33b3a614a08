-- grain: one row per (event, recipient), simulator included
create or replace view message_timeline as
select
    e.event_at,
    e.event_type,
    e.message_id,
    e.recipient,
    e.recipient_as_written,
    e.sent_at,
    e.received_at,
    e.account,
    e.region,
    e.configuration_set,
    coalesce(e.configuration_set, '(none)') as configuration_set_name,
    e.identity,
    e.source,
    e.subject,
    e.tags,
    e.is_simulator,
    e.is_identity_notification,
    case
        when e.event_type = 'Bounce'
            then bounce_kind_of(e.bounce_type, e.bounce_sub_type, e.is_auto_reply)
        when e.event_type = 'Complaint'
            then complaint_kind_of(e.complaint_sub_type, e.complaint_feedback_type)
        when e.event_type = 'DeliveryDelay' then delay_side_of(e.delay_type)
        when e.event_type in ('Open', 'Click')
            then case when e.machine_rule is null then 'person' else 'machine' end
        when e.event_type = 'Subscription'
            then case when e.is_unsubscribe then 'unsubscribe' else 'change' end
    end as kind,
    case e.event_type
        when 'Bounce'
            then concat_ws(
                ' ', e.bounce_type, e.bounce_sub_type, e.status, e.diagnostic_code
            )
        when 'Complaint'
            then concat_ws(' ', e.complaint_feedback_type, e.complaint_sub_type)
        when 'Delivery' then e.smtp_response
        when 'DeliveryDelay'
            then concat_ws(' ', e.delay_type, e.status, e.diagnostic_code)
        when 'Reject' then e.reject_reason
        when 'Rendering Failure' then concat_ws(' ', e.template, e.error_message)
        when 'Open' then concat_ws(' ', e.machine_rule, e.user_agent)
        when 'Click' then concat_ws(' ', e.link, e.machine_rule, e.user_agent)
        when 'Subscription' then e.new_preferences
    end as detail,
    e.bounce_rule,
    e.bounce_class,
    case
        when e.event_type = 'Send' then e.source_ip
        when e.event_type in ('Open', 'Click') then e.ip
        when e.event_type = 'Subscription' then e.subscription_source
        else coalesce(e.remote_mta_ip, e.reporting_mta)
    end as place,
    epoch_ms(e.event_at) - epoch_ms(e.sent_at) as since_sending_ms,
    e.event_key
from events as e;

comment on view message_timeline is
'The story of a message or a recipient: ask by message_id or recipient, narrow by sent_at, order by event_at and event_key.';
comment on column message_timeline.message_id is
'SES''s message id.';
comment on column message_timeline.account is
'AWS account that sent.';
comment on column message_timeline.region is
'AWS region that sent.';
comment on column message_timeline.event_at is
'When it happened (UTC).';
comment on column message_timeline.event_type is
'SES''s event type.';
comment on column message_timeline.recipient is
'The normalised address; NULL where the event can''t be tied to one.';
comment on column message_timeline.recipient_as_written is
'What SES wrote, where that differs.';
comment on column message_timeline.sent_at is
'When the message was sent (UTC).';
comment on column message_timeline.received_at is
'When duckpost received it (UTC).';
comment on column message_timeline.configuration_set is
'Configuration set of the message.';
comment on column message_timeline.configuration_set_name is
'The configuration set, or (none): for labels.';
comment on column message_timeline.identity is
'Sending identity, as the event says.';
comment on column message_timeline.source is
'Address the message was sent from.';
comment on column message_timeline.subject is
'Subject of the message.';
comment on column message_timeline.tags is
'Message tags.';
comment on column message_timeline.is_simulator is
'Whether the recipient is SES''s mailbox simulator: outside every figure.';
comment on column message_timeline.is_identity_notification is
'Whether it came as identity notification and not by event publishing.';
comment on column message_timeline.kind is
'Our class: of a bounce, a complaint, a delay, an Open or Click, a Subscription.';
comment on column message_timeline.detail is
'What SES or the receiver said.';
comment on column message_timeline.bounce_rule is
'Rule that says so (bounce_rules); NULL where none fits.';
comment on column message_timeline.bounce_class is
'What a bounce is about.';
comment on column message_timeline.place is
'Where it happened: the IP address that asked SES to send, the receiving or reporting server, the reader''s IP address, the way of unsubscribing.';
comment on column message_timeline.since_sending_ms is
'Milliseconds from sending; may be negative, where SES cut its stamp.';
comment on column message_timeline.event_key is
'What makes the event itself.';
