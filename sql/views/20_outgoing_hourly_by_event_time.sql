-- grain: one row per (event_hour, account, region, configuration_set, provider,
-- outgoing_ip, outgoing_tls_version)
-- From events themselves: a Delivery counts by its recipient alone, and what
-- event_tallies joins for other counts costs more than all of this.
create or replace view outgoing_hourly_by_event_time as
select
    date_trunc('hour', e.event_at) as event_hour,
    e.account,
    e.region,
    e.configuration_set,
    coalesce(e.configuration_set, '(none)') as configuration_set_name,
    e.provider,
    e.outgoing_ip,
    e.outgoing_tls_version,
    count(e.recipient) as deliveries
from events as e
where e.event_type = 'Delivery' and not e.is_simulator
group by
    date_trunc('hour', e.event_at),
    e.account,
    e.region,
    e.configuration_set,
    e.provider,
    e.outgoing_ip,
    e.outgoing_tls_version;

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
