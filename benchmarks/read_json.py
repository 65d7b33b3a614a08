"""The yardstick: DuckDB's own reader, the same objects into the same columns, nothing else.

    python benchmarks/read_json.py WAREHOUSE OBJECTS

No validation, no dedup, no quarantine, no archive, no ledger: what a careful person would write
first. Columns that need more than one event's JSON (or its topics compared) are left out.
"""

import sys
from pathlib import Path

import duckdb

from consumer.resources import sql_folder

MAIL = """struct(
    "timestamp" timestamp, messageId varchar, source varchar, sourceArn varchar,
    sendingAccountId varchar, destination varchar[], tags map(varchar, varchar[]),
    commonHeaders struct(subject varchar)
)"""
RECIPIENT = "struct(emailAddress varchar, action varchar, status varchar, diagnosticCode varchar)[]"
COLUMNS = {
    "eventType": "varchar",
    "mail": MAIL,
    "bounce": f"""struct(bounceType varchar, bounceSubType varchar, "timestamp" timestamp,
        feedbackId varchar, reportingMTA varchar, remoteMtaIp varchar,
        bouncedRecipients {RECIPIENT})""",
    "complaint": """struct("timestamp" timestamp, feedbackId varchar, complaintSubType varchar,
        complaintFeedbackType varchar, userAgent varchar, arrivalDate timestamp,
        complainedRecipients struct(emailAddress varchar)[])""",
    "delivery": """struct("timestamp" timestamp, processingTimeMillis bigint, recipients varchar[],
        smtpResponse varchar, reportingMTA varchar, remoteMtaIp varchar)""",
    "reject": "struct(reason varchar)",
    "failure": "struct(templateName varchar, errorMessage varchar)",
    "deliveryDelay": f"""struct("timestamp" timestamp, delayType varchar, expirationTime timestamp,
        reportingMTA varchar, delayedRecipients {RECIPIENT})""",
    "open": """struct("timestamp" timestamp, ipAddress varchar, userAgent varchar,
        isBotEvent varchar)""",
    "click": """struct("timestamp" timestamp, ipAddress varchar, userAgent varchar,
        isBotEvent varchar, link varchar, linkTags map(varchar, varchar[]))""",
    "subscription": """struct("timestamp" timestamp, contactList varchar, source varchar,
        newTopicPreferences json, oldTopicPreferences json)""",
}
INSERT = """
insert into events by name
with events_read as (
    select *, unnest(case eventType
        when 'Bounce' then [r.emailAddress for r in bounce.bouncedRecipients]
        when 'Complaint' then [r.emailAddress for r in complaint.complainedRecipients]
        when 'Delivery' then delivery.recipients
        when 'DeliveryDelay' then [r.emailAddress for r in deliveryDelay.delayedRecipients]
        else mail.destination
    end) as address
    from read_json($objects, format = 'newline_delimited', columns = {columns})
)
select
    md5(concat_ws('|', eventType, mail.messageId, address, bounce."timestamp", "open"."timestamp",
        click."timestamp", click.link, delivery."timestamp"))::uuid as event_key,
    eventType as event_type,
    coalesce(bounce."timestamp", complaint."timestamp", delivery."timestamp",
        deliveryDelay."timestamp", "open"."timestamp", click."timestamp",
        subscription."timestamp", mail."timestamp") as event_at,
    mail."timestamp" as sent_at,
    now()::timestamp as received_at,
    false as is_identity_notification,
    mail.messageId as message_id,
    lower(address) as recipient,
    nullif(address, lower(address)) as recipient_as_written,
    split_part(lower(address), '@', -1) as recipient_domain,
    len(mail.destination) as destination_count,
    len(mail.destination) = 1 as is_attributable,
    lower(address) like '%@simulator.amazonses.com' as is_simulator,
    mail.sendingAccountId as account,
    split_part(mail.sourceArn, ':', 4) as region,
    mail.tags['ses:configuration-set'][1] as configuration_set,
    mail.tags['ses:tenant-name'][1] as tenant,
    split_part(mail.sourceArn, '/', 2) as identity,
    split_part(mail.sourceArn, ':', 5) as identity_account,
    lower(mail.source) as source,
    mail.tags['ses:from-domain'][1] as from_domain,
    mail.tags['ses:caller-identity'][1] as caller_identity,
    mail.tags['ses:operation'][1] as operation,
    mail.tags['ses:source-ip'][1] as source_ip,
    mail.tags['ses:source-tls-version'][1] as source_tls_version,
    mail.tags['ses:outgoing-ip'][1] as outgoing_ip,
    mail.tags['ses:outgoing-tls-version'][1] as outgoing_tls_version,
    map_from_entries(
        [e for e in map_entries(mail.tags) if not starts_with(e.key, 'ses:')]
    ) as tags,
    mail.commonHeaders.subject as subject,
    coalesce(bounce.feedbackId, complaint.feedbackId) as feedback_id,
    bounce.bounceType as bounce_type,
    bounce.bounceSubType as bounce_sub_type,
    bounce.bounceType in ('Undetermined', 'Transient') and bounce.reportingMTA is null
        and bounce.bouncedRecipients[1].status is null as is_auto_reply,
    bounce.bouncedRecipients[1].action as action,
    coalesce(bounce.bouncedRecipients[1].status, deliveryDelay.delayedRecipients[1].status)
        as status,
    coalesce(bounce.bouncedRecipients[1].diagnosticCode,
        deliveryDelay.delayedRecipients[1].diagnosticCode) as diagnostic_code,
    coalesce(bounce.reportingMTA, delivery.reportingMTA, deliveryDelay.reportingMTA)
        as reporting_mta,
    coalesce(bounce.remoteMtaIp, delivery.remoteMtaIp) as remote_mta_ip,
    complaint.complaintSubType as complaint_sub_type,
    complaint.complaintFeedbackType as complaint_feedback_type,
    len(complaint.complainedRecipients) > 1 as is_ambiguous,
    complaint.arrivalDate as arrived_at,
    delivery.processingTimeMillis as processing_ms,
    delivery.smtpResponse as smtp_response,
    deliveryDelay.delayType as delay_type,
    deliveryDelay.expirationTime as expires_at,
    reject.reason as reject_reason,
    failure.templateName as template,
    failure.errorMessage as error_message,
    coalesce("open".ipAddress, click.ipAddress) as ip,
    coalesce("open".userAgent, click.userAgent, complaint.userAgent) as user_agent,
    click.link as link,
    click.linkTags as link_tags,
    coalesce("open".isBotEvent, click.isBotEvent) as is_bot_event,
    subscription.contactList as contact_list,
    subscription.source as subscription_source,
    subscription.newTopicPreferences::varchar as new_preferences,
    subscription.oldTopicPreferences::varchar as old_preferences,
from events_read
"""


def main() -> None:
    warehouse, objects = sys.argv[1:]
    with duckdb.connect(warehouse, config={"threads": 2, "memory_limit": "1GB"}) as connection:
        for migration in sorted((sql_folder() / "migrations").glob("*.sql")):
            connection.execute(migration.read_text(encoding="utf-8"))
        listed = ", ".join(f"'{name}': '{kind}'" for name, kind in COLUMNS.items())
        connection.execute(
            INSERT.replace("{columns}", f"{{{listed}}}"), {"objects": f"{Path(objects)}/**/*.gz"}
        )
        print(connection.execute("select count(*) from events").fetchall()[0][0])


if __name__ == "__main__":
    main()
