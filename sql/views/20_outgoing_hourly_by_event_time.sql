-- grain: one row per (event_hour, account, region, configuration_set, provider,
-- outgoing_ip, outgoing_tls_version)
create or replace view outgoing_hourly_by_event_time as
select
    r.event_hour,
    r.account,
    r.region,
    r.configuration_set,
    r.configuration_set_name,
    r.provider,
    r.outgoing_ip,
    r.outgoing_tls_version,
    sum(r.deliveries)::bigint as deliveries
from delivery_routes as r
group by
    r.event_hour,
    r.account,
    r.region,
    r.configuration_set,
    r.configuration_set_name,
    r.provider,
    r.outgoing_ip,
    r.outgoing_tls_version;

comment on view outgoing_hourly_by_event_time is
'Deliveries by the address that SES delivered from and the TLS it used: Delivery events alone know them.';
comment on column outgoing_hourly_by_event_time.event_hour is
'Full hour (UTC) of the event.';
comment on column outgoing_hourly_by_event_time.account is
'AWS account that sent.';
comment on column outgoing_hourly_by_event_time.region is
'AWS region that sent.';
comment on column outgoing_hourly_by_event_time.configuration_set is
'Configuration set of the message.';
comment on column outgoing_hourly_by_event_time.configuration_set_name is
'The configuration set, or (none): for labels.';
comment on column outgoing_hourly_by_event_time.provider is
'Mailbox provider of the recipient.';
comment on column outgoing_hourly_by_event_time.outgoing_ip is
'Address from which SES delivered.';
comment on column outgoing_hourly_by_event_time.outgoing_tls_version is
'TLS version of the delivery; NULL where there was none, or none was told.';
comment on column outgoing_hourly_by_event_time.deliveries is
'Recipients of Deliveries.';
