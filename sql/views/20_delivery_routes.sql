-- grain: one row per (Delivery, recipient)
-- From events themselves: a Delivery counts by its recipient alone, and what
-- event_tallies joins for other counts costs more than all of this. Whoever adds up by
-- less than the hourly view has saves grouping by all that it has.
create or replace view delivery_routes as
select
    date_trunc('hour', e.event_at) as event_hour,
    e.account,
    e.region,
    e.configuration_set,
    coalesce(e.configuration_set, '(none)') as configuration_set_name,
    e.provider,
    e.outgoing_ip,
    e.outgoing_tls_version,
    case when e.recipient is null then 0 else 1 end as deliveries
from events as e
where e.event_type = 'Delivery' and not e.is_simulator;

comment on view delivery_routes is
'Each Delivery to a recipient with the address that SES delivered from and the TLS it used: Delivery events alone know them.';
comment on column delivery_routes.event_hour is
'Full hour (UTC) of the event.';
comment on column delivery_routes.account is
'AWS account that sent.';
comment on column delivery_routes.region is
'AWS region that sent.';
comment on column delivery_routes.configuration_set is
'Configuration set of the message.';
comment on column delivery_routes.configuration_set_name is
'The configuration set, or (none): for labels.';
comment on column delivery_routes.provider is
'Mailbox provider of the recipient.';
comment on column delivery_routes.outgoing_ip is
'Address from which SES delivered.';
comment on column delivery_routes.outgoing_tls_version is
'TLS version of the delivery; NULL where there was none, or none was told.';
comment on column delivery_routes.deliveries is
'1, or 0 where the Delivery names no recipient: to be summed.';
