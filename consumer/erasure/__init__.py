"""Takes one person's address out of texts, payloads, rows and frames, and leaves a token.

Nothing else changes: a payload rewritten here decodes to the rows that rewriting the stored rows
gives, so that a warehouse whose archive was rewritten rebuilds to the same figures.
"""

from consumer.erasure.batch import erase_from_batch, erase_from_frame, erase_from_quarantined
from consumer.erasure.hiding import Hider
from consumer.erasure.rows import erase_from_rows
from consumer.erasure.text import Eraser

__all__ = [
    "Eraser",
    "Hider",
    "erase_from_batch",
    "erase_from_frame",
    "erase_from_quarantined",
    "erase_from_rows",
]
