"""The dashboards, in the order in which a deliverability team reads them."""

from consumer.dashboards.boards.overview import overview
from consumer.dashboards.definitions import Definitions
from consumer.dashboards.panels import Board

_BOARDS = (overview,)


def all_boards(definitions: Definitions) -> list[Board]:
    """Return every dashboard."""
    return [make(definitions) for make in _BOARDS]
