"""How often Python looks for garbage."""

import gc
from typing import Final

# A batch is tens of thousands of small tuples that all live until it is built: with Python's own
# threshold of 700 the collector walks them dozens of times, a fifth of decoding's CPU.
_THRESHOLDS: Final = (100_000, 20, 100)


def collect_rarely() -> None:
    """Tune the collector for batches; for processes that decode, once, at their start."""
    gc.set_threshold(*_THRESHOLDS)
