-- grain: one row per recipient who must not be mailed
create or replace view suppressed_recipients as
with lifts as (
    select
        l.recipient,
        max(l.lifted_at) as lifted_at
    from suppression_lifts as l
    group by l.recipient
),

judged as (
    select
        e.recipient,
        e.recipient_domain,
        e.provider,
        e.account,
        e.region,
        e.message_id,
        e.event_at,
        e.event_key,
        case
            when e.event_type = 'Subscription' then 'unsubscribe'
            when e.bounce_sub_type = 'UnsubscribedRecipient' then 'unsubscribe'
            when
                is_suppression(e.bounce_sub_type)
                or is_suppression(e.complaint_sub_type)
                then 'refused_by_ses'
            when
                bounce_kind_of(e.bounce_type, e.bounce_sub_type, e.is_auto_reply)
                = 'hard'
                then 'hard_bounce'
            when
                e.event_type = 'Complaint'
                and not coalesce(e.is_ambiguous, false)
                and complaint_kind_of(e.complaint_sub_type, e.complaint_feedback_type)
                = 'complaint'
                then 'complaint'
        end as reason,
        -- SES writes preferences as JSON, which duckpost keeps compact
        coalesce(
            e.event_type = 'Subscription'
            and not contains(e.new_preferences, '"unsubscribeAll":true'),
            false
        ) as is_subscribed,
        concat_ws(
            ' ',
            e.bounce_sub_type,
            e.complaint_sub_type,
            e.complaint_feedback_type,
            e.status,
            e.diagnostic_code,
            e.subscription_source
        ) as detail
    from events as e
    where
        e.event_type in ('Bounce', 'Complaint', 'Subscription')
        and e.recipient is not null
        and not e.is_simulator
),

subscribed as (
    select
        j.recipient,
        max(j.event_at) as subscribed_at
    from judged as j
    where j.is_subscribed
    group by j.recipient
),

standing as (
    select
        j.recipient,
        j.recipient_domain,
        j.provider,
        j.account,
        j.region,
        j.message_id,
        j.event_at,
        j.event_key,
        j.reason,
        j.detail
    from judged as j
    left join lifts as l on j.recipient = l.recipient
    left join subscribed as s on j.recipient = s.recipient
    where
        j.reason is not null
        and not j.is_subscribed
        and (l.lifted_at is null or j.event_at > l.lifted_at)
        and (
            j.reason != 'unsubscribe'
            or s.subscribed_at is null
            or j.event_at > s.subscribed_at
        )
    union all
    select
        d.recipient,
        split_part(d.recipient, '@', -1) as recipient_domain,
        null as provider,
        d.account,
        d.region,
        null as message_id,
        d.updated_at as event_at,
        null as event_key,
        'on_ses_list' as reason,
        concat('on the account list of SES: ', d.reason) as detail
    from ses_suppressions as d
    left join lifts as l on d.recipient = l.recipient
    where l.lifted_at is null or d.updated_at > l.lifted_at
)

select
    t.recipient,
    any_value(t.recipient_domain) as recipient_domain,
    any_value(t.provider) as provider,
    list_sort(list(distinct t.reason)) as reasons,
    min(t.event_at) as suppressed_at,
    max(t.event_at) as last_event_at,
    max(t.event_at) filter (where t.reason = 'hard_bounce') as hard_bounced_at,
    max(t.event_at) filter (where t.reason = 'complaint') as complained_at,
    max(t.event_at) filter (where t.reason = 'unsubscribe') as unsubscribed_at,
    max(t.event_at) filter (where t.reason = 'refused_by_ses') as refused_at,
    count(*) filter (where t.reason != 'on_ses_list') as events,
    list_sort(list(distinct t.account)) as accounts,
    list_sort(list(distinct t.region)) as regions,
    arg_max(t.message_id, (t.event_at, t.event_key)) as last_message_id,
    arg_max(t.detail, (t.event_at, t.event_key)) as last_detail
from standing as t
group by t.recipient;

comment on view suppressed_recipients is
'Who must not be mailed, and why: hard bounces (no automatic replies), complaints that name one complainer (no not-spam reports), who unsubscribed from everything, whom SES itself refuses, and who is on its account list as last read. Whoever was lifted comes back with the next such event. The mailbox simulator is left out.';
comment on column suppressed_recipients.recipient is
'The normalised address.';
comment on column suppressed_recipients.recipient_domain is
'Its domain.';
comment on column suppressed_recipients.provider is
'Its mailbox provider.';
comment on column suppressed_recipients.reasons is
'All of hard_bounce, complaint, unsubscribe, refused_by_ses, on_ses_list that hold.';
comment on column suppressed_recipients.suppressed_at is
'When the first of the events behind it happened (UTC).';
comment on column suppressed_recipients.last_event_at is
'When the last of them happened (UTC).';
comment on column suppressed_recipients.hard_bounced_at is
'When it last bounced hard (UTC).';
comment on column suppressed_recipients.complained_at is
'When it last complained (UTC).';
comment on column suppressed_recipients.unsubscribed_at is
'When it unsubscribed from everything, or SES refused mail for that (UTC).';
comment on column suppressed_recipients.refused_at is
'When SES last refused to deliver because of one of its lists (UTC).';
comment on column suppressed_recipients.events is
'How many events are behind it.';
comment on column suppressed_recipients.accounts is
'AWS accounts that had such an event.';
comment on column suppressed_recipients.regions is
'AWS regions that had such an event.';
comment on column suppressed_recipients.last_message_id is
'SES''s id of the message of the last such event.';
comment on column suppressed_recipients.last_detail is
'What SES or the receiver said in the last such event.';
