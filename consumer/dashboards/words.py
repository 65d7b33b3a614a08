"""What people read in place of a column's name."""

import re
from typing import Final

# A column's unit says the last of these, and its yes or no the first.
_SAID_ELSEWHERE: Final = re.compile(r"^(is|has)_|_(ms|secs|rate)$")
_SPELLED: Final = {
    "aws": "AWS",
    "fbl": "(FBL)",
    "ip": "IP",
    "p50": "p50",
    "ses": "SES",
    "tls": "TLS",
    "vdm": "VDM",
}
_CALLED: Final = {
    "attempted_or_outcomes": "Attempted",
    "aws_bounce_rate": "Bounces (AWS)",
    "block_bounces": "Blocks",
    "block_bounce_rate": "Blocks",
    "bounce_class": "About",
    "bounce_sub_type": "Subtype",
    "bounce_type": "Type",
    "click_tracked_deliveries": "Deliveries with tracked clicks",
    "complaint_rate": "All complaints",
    "complaint_rate_fbl": "Complaints (FBL)",
    "configuration_set_name": "Configuration set",
    "delay_rate": "Delayed",
    "delivery_p50_ms": "p50",
    "delivery_p95_ms": "p95",
    "delivery_p99_ms": "p99",
    "difference_rate": "Difference, share",
    "fbl_complaints": "Complaints (FBL)",
    "fbl_deliveries": "Deliveries that can complain",
    "file_bytes": "File",
    "floor_bytes": "Least that must stay free",
    "free_bytes": "Free",
    "hard_bounce_rate": "Hard bounces",
    "last_sha256": "SHA-256 of the last",
    "lost_attempts": "Attempted",
    "lost_rate": "Lost, of attempted",
    "lost_rate_high": "At most",
    "lost_rate_low": "At least",
    "max_sends_24h": "Quota in 24 h",
    "max_sends_per_sec": "Quota a second",
    "over_lines": "Over a line",
    "payload_bytes": "Size",
    "processing_p95_ms": "SES p95",
    "receiver_delays": "The receiver's",
    "recipients_24h": "Recipients, 24 h",
    "recipients_a_day_before": "Average day before",
    "sends_24h": "Sends, 24 h",
    "ses_delays": "SES's own",
    "since_sending_ms": "After sending",
    "soft_bounce_rate": "Soft bounces",
    "unbalanced_batches": "Unbalanced",
    "undetermined_bounce_rate": "Undetermined bounces",
    "unique_click_rate": "Clicked",
    "unique_click_rate_24h": "Clicked, 24 h",
    "unique_click_rate_72h": "Clicked, 72 h",
    "unique_click_rate_7d": "Clicked, 7 d",
    "unique_human_clicks": "Clicked, people",
    "unique_human_opens": "Opened, people",
    "unique_open_rate": "Opened",
    "unique_open_rate_24h": "Opened, 24 h",
    "unique_open_rate_72h": "Opened, 72 h",
    "unique_open_rate_7d": "Opened, 7 d",
    "unsubscribe_rate": "Unsubscribed",
}


def to_words(column: str) -> str:
    """Return a column's name as people read it: ``hard_bounces`` as *Hard bounces*."""
    if column in _CALLED:
        return _CALLED[column]
    words = _SAID_ELSEWHERE.sub("", column).split("_")
    text = " ".join(_SPELLED.get(word, word) for word in words)
    return text[:1].upper() + text[1:]
