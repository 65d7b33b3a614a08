-- grain: one row per (event_date, account, region, configuration_set, identity,
-- provider)
create or replace view vdm_parity_daily as
with counted as (
    select
        c.event_at::date as event_date,
        c.account,
        c.region,
        c.configuration_set,
        c.identity,
        c.provider,
        (c.event_type = 'Send') as is_send,
        (c.event_type = 'Delivery') as is_delivery,
        (c.event_type = 'Delivery' and c.has_feedback_loop) as is_fbl_delivery,
        coalesce(
            c.bounce_type = 'Permanent'
            and coalesce(c.bounce_sub_type != 'OnAccountSuppressionList', true),
            false
        ) as is_permanent_bounce,
        coalesce(c.bounce_type = 'Transient', false) as is_transient_bounce,
        (
            c.event_type = 'Complaint'
            and coalesce(c.complaint_sub_type != 'OnAccountSuppressionList', true)
        ) as is_complaint,
        (coalesce(h.effects, 0) & 4) > 0 as is_unique_open,
        (coalesce(h.effects, 0) & 8) > 0 as is_unique_click
    from countable_events as c
    left join event_effects as h
        on
            c.event_key = h.event_key
            and c.event_hour = h.event_hour
            and c.event_type in ('Open', 'Click')
    where
        c.destination_count = 1
        and c.event_at >= utc_now()::date - interval 59 day
        and coalesce(c.identity_account = c.account, true)
),

summed as (
    select
        c.event_date,
        c.account,
        c.region,
        c.configuration_set,
        c.identity,
        c.provider,
        count(*) filter (where c.is_send) as sends,
        count(*) filter (where c.is_delivery) as deliveries,
        count(*) filter (where c.is_fbl_delivery) as fbl_deliveries,
        count(*) filter (where c.is_permanent_bounce) as permanent_bounces,
        count(*) filter (where c.is_transient_bounce) as transient_bounces,
        count(*) filter (where c.is_complaint) as complaints,
        count(*) filter (where c.is_unique_open) as unique_opens,
        count(*) filter (where c.is_unique_click) as unique_clicks
    from counted as c
    group by
        c.event_date,
        c.account,
        c.region,
        c.configuration_set,
        c.identity,
        c.provider
)

select
    s.event_date,
    s.account,
    s.region,
    s.configuration_set,
    coalesce(s.configuration_set, '(none)') as configuration_set_name,
    s.identity,
    s.provider,
    s.sends,
    s.deliveries,
    s.fbl_deliveries,
    s.permanent_bounces,
    s.transient_bounces,
    s.complaints,
    s.unique_opens,
    s.unique_clicks,
    rate(s.deliveries, s.sends) as delivery_rate,
    rate(s.permanent_bounces, s.sends) as permanent_bounce_rate,
    rate(s.transient_bounces, s.sends) as transient_bounce_rate,
    rate(s.complaints, s.fbl_deliveries) as complaint_rate
from summed as s;

comment on view vdm_parity_daily is
'Volumes as SES''s Virtual Deliverability Manager defines them, by event time and UTC day: no simulator, mail to a single recipient, no delegate senders, suppression by the account list out of bounces and complaints though not out of sends, the last 60 days at most. https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_BatchGetMetricDataQuery.html';
comment on column vdm_parity_daily.event_date is
'UTC day on which it happened.';
comment on column vdm_parity_daily.account is
'AWS account that sent.';
comment on column vdm_parity_daily.region is
'AWS region that sent.';
comment on column vdm_parity_daily.configuration_set is
'Configuration set of the message.';
comment on column vdm_parity_daily.configuration_set_name is
'The configuration set, or (none): for labels.';
comment on column vdm_parity_daily.identity is
'Sending identity.';
comment on column vdm_parity_daily.provider is
'Mailbox provider; VDM''s ISP is near it.';
comment on column vdm_parity_daily.sends is
'VDM''s SEND.';
comment on column vdm_parity_daily.deliveries is
'VDM''s DELIVERY.';
comment on column vdm_parity_daily.fbl_deliveries is
'VDM''s DELIVERY_COMPLAINT: deliveries to providers with a feedback loop, by our map of providers.';
comment on column vdm_parity_daily.permanent_bounces is
'VDM''s PERMANENT_BOUNCE: those of the global suppression list are in it, those of the account list are not.';
comment on column vdm_parity_daily.transient_bounces is
'VDM''s TRANSIENT_BOUNCE, automatic replies included; AWS does not say where undetermined ones go, here they are in neither.';
comment on column vdm_parity_daily.complaints is
'VDM''s COMPLAINT: reports of every feedback type.';
comment on column vdm_parity_daily.unique_opens is
'VDM''s OPEN: recipients who opened, on the day of their first open; machines included.';
comment on column vdm_parity_daily.unique_clicks is
'VDM''s CLICK: recipients who clicked, on the day of their first click; machines included.';
comment on column vdm_parity_daily.delivery_rate is
'deliveries / sends.';
comment on column vdm_parity_daily.permanent_bounce_rate is
'permanent_bounces / sends.';
comment on column vdm_parity_daily.transient_bounce_rate is
'transient_bounces / sends.';
comment on column vdm_parity_daily.complaint_rate is
'complaints / fbl_deliveries.';
