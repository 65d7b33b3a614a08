"""The columns a batch carries to the warehouse, as an Arrow schema.

Every column of the table ``events`` but those that are judged while writing (``provider``,
``machine_rule``, ``bounce_rule``, ``bounce_class``), and behind them three that steer the write and
are not stored.
"""

from typing import Final

import pyarrow as pa

_INSTANT: Final = pa.timestamp("us")
TAGS: Final = pa.map_(pa.string(), pa.list_(pa.string()))

# What every event has: of the event, its recipient, and its message.
COMMON: Final = (
    ("event_key", pa.uuid()),
    ("event_type", pa.string()),
    ("event_at", _INSTANT),
    ("sent_at", _INSTANT),
    ("received_at", _INSTANT),
    ("is_identity_notification", pa.bool_()),
    ("message_id", pa.string()),
    ("recipient", pa.string()),
    ("recipient_as_written", pa.string()),
    ("recipient_domain", pa.string()),
    ("destination_count", pa.int32()),
    ("is_attributable", pa.bool_()),
    ("is_simulator", pa.bool_()),
    ("account", pa.string()),
    ("region", pa.string()),
    ("configuration_set", pa.string()),
    ("tenant", pa.string()),
    ("identity", pa.string()),
    ("identity_account", pa.string()),
    ("source", pa.string()),
    ("from_domain", pa.string()),
    ("caller_identity", pa.string()),
    ("operation", pa.string()),
    ("source_ip", pa.string()),
    ("source_tls_version", pa.string()),
    ("outgoing_ip", pa.string()),
    ("outgoing_tls_version", pa.string()),
    ("tags", TAGS),
    ("subject", pa.string()),
)

# What some types have.
SPECIFIC: Final = (
    ("feedback_id", pa.string()),
    ("bounce_type", pa.string()),
    ("bounce_sub_type", pa.string()),
    ("is_auto_reply", pa.bool_()),
    ("action", pa.string()),
    ("status", pa.string()),
    ("diagnostic_code", pa.string()),
    ("reporting_mta", pa.string()),
    ("remote_mta_ip", pa.string()),
    ("complaint_sub_type", pa.string()),
    ("complaint_feedback_type", pa.string()),
    ("is_ambiguous", pa.bool_()),
    ("arrived_at", _INSTANT),
    ("processing_ms", pa.int64()),
    ("smtp_response", pa.string()),
    ("delay_type", pa.string()),
    ("expires_at", _INSTANT),
    ("reject_reason", pa.string()),
    ("template", pa.string()),
    ("error_message", pa.string()),
    ("ip", pa.string()),
    ("user_agent", pa.string()),
    ("link", pa.string()),
    ("link_tags", TAGS),
    ("is_bot_event", pa.string()),
    ("contact_list", pa.string()),
    ("subscription_source", pa.string()),
    ("is_unsubscribe", pa.bool_()),
    ("new_preferences", pa.string()),
    ("old_preferences", pa.string()),
)

# What steers the write: arrival order in the batch, whether the message's facts are missing,
# and the 64-bit key of the group in which the row may hold a mark.
STEERING: Final = (
    ("ordinal", pa.int32()),
    ("is_poor", pa.bool_()),
    ("mark_key", pa.uint64()),
)

ROW_SCHEMA: Final = pa.schema([*COMMON, *SPECIFIC, *STEERING])
STORED_COLUMNS: Final = tuple(name for name, _ in (*COMMON, *SPECIFIC))
