-- grain: one row per (account, region)
create or replace view reconciliation_posture as
select
    p.account,
    p.region,
    max(p.asked_at) as asked_at,
    arg_max(p.enforcement_status, p.asked_at) as enforcement_status,
    arg_max(p.review_status, p.asked_at) as review_status,
    arg_max(p.is_sending_enabled, p.asked_at) as is_sending_enabled,
    arg_max(p.has_production_access, p.asked_at) as has_production_access,
    arg_max(p.max_sends_24h, p.asked_at) as max_sends_24h,
    arg_max(p.max_sends_per_sec, p.asked_at) as max_sends_per_sec,
    arg_max(p.sends_24h, p.asked_at) as sends_24h,
    rate(
        arg_max(p.sends_24h, p.asked_at), arg_max(p.max_sends_24h, p.asked_at)
    ) as quota_used_rate,
    arg_max(p.is_vdm_enabled, p.asked_at) as is_vdm_enabled,
    arg_max(p.has_engagement_metrics, p.asked_at) as has_engagement_metrics
from postures as p
group by p.account, p.region;

comment on view reconciliation_posture is
'How the account stands with SES, as SESv2 GetAccount last said to duckpost reconcile.';
comment on column reconciliation_posture.account is
'AWS account.';
comment on column reconciliation_posture.region is
'AWS region.';
comment on column reconciliation_posture.asked_at is
'When it was asked (UTC).';
comment on column reconciliation_posture.enforcement_status is
'HEALTHY, PROBATION (under review) or SHUTDOWN (sending paused).';
comment on column reconciliation_posture.review_status is
'Of the request for production access: PENDING, FAILED, GRANTED or DENIED.';
comment on column reconciliation_posture.is_sending_enabled is
'Whether the account may send in this region.';
comment on column reconciliation_posture.has_production_access is
'Whether it is out of the sandbox.';
comment on column reconciliation_posture.max_sends_24h is
'Recipients a day that SES allows; -1 for no limit.';
comment on column reconciliation_posture.max_sends_per_sec is
'Recipients a second that SES allows.';
comment on column reconciliation_posture.sends_24h is
'Recipients of the last 24 hours, as SES counts.';
comment on column reconciliation_posture.quota_used_rate is
'sends_24h / max_sends_24h.';
comment on column reconciliation_posture.is_vdm_enabled is
'Whether Virtual Deliverability Manager is on.';
comment on column reconciliation_posture.has_engagement_metrics is
'Whether it counts opens and clicks.';
