"""Our daily figures beside AWS's own, with the reason where they differ.

`amazon` asks AWS, `figures` asks the warehouse, `reasons` explains, `run` brings them together.
"""

from consumer.reconciliation.amazon import Amazon
from consumer.reconciliation.figures import find_regions
from consumer.reconciliation.reasons import WORDS
from consumer.reconciliation.run import RegionReport, reconcile_region
from consumer.reconciliation.scopes import Span

__all__ = ["WORDS", "Amazon", "RegionReport", "Span", "find_regions", "reconcile_region"]
