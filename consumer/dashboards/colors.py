"""One colour a figure, wherever it is drawn: good is green, bad is red, people before machines."""

from collections.abc import Mapping
from typing import Final

_MAIL: Final = {
    "sends": "blue",
    "attempted": "light-blue",
    "attempted_or_outcomes": "light-blue",
    "deliveries": "green",
    "accepted": "dark-green",
    "fbl_deliveries": "purple",
    "rejects": "dark-red",
    "rendering_failures": "light-red",
}
_BOUNCES: Final = {
    "hard_bounces": "red",
    "soft_bounces": "orange",
    "undetermined_bounces": "light-yellow",
    "suppressed": "#8e8e8e",
    "hard_bounce_rate": "red",
    "soft_bounce_rate": "orange",
    "block_bounce_rate": "dark-purple",
    "aws_bounce_rate": "dark-blue",
    "hard": "red",
    "soft": "orange",
    "undetermined": "light-yellow",
}
_COMPLAINTS: Final = {
    "complaints": "purple",
    "fbl_complaints": "dark-purple",
    "auth_failure_complaints": "yellow",
    "virus_complaints": "red",
    "complaint_rate_fbl": "dark-purple",
    "complaint_rate": "light-purple",
    "unsubscribes": "light-orange",
}
_DELAYS: Final = {
    "delays": "dark-yellow",
    "ses_delays": "blue",
    "receiver_delays": "dark-yellow",
}
_ENGAGEMENT: Final = {
    "opens": "light-blue",
    "machine_opens": "#8e8e8e",
    "unique_human_opens": "blue",
    "clicks": "light-green",
    "machine_clicks": "#8e8e8e",
    "unique_human_clicks": "dark-green",
}
_PIPELINE: Final = {
    "inserted": "green",
    "superseded": "light-green",
    "duplicates": "blue",
    "quarantined": "red",
    "ignored": "#8e8e8e",
    "free_bytes": "blue",
    "floor_bytes": "red",
    "file_bytes": "blue",
}
COLORS: Final[Mapping[str, str]] = {
    **_MAIL,
    **_BOUNCES,
    **_COMPLAINTS,
    **_DELAYS,
    **_ENGAGEMENT,
    **_PIPELINE,
}
