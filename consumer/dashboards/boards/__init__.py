"""The dashboards, in the order in which a deliverability team reads them."""

from consumer.dashboards.boards.bounces import bounces
from consumer.dashboards.boards.complaints import complaints
from consumer.dashboards.boards.engagement import engagement
from consumer.dashboards.boards.latency import latency
from consumer.dashboards.boards.lookup import lookup
from consumer.dashboards.boards.overview import overview
from consumer.dashboards.boards.pipeline import pipeline
from consumer.dashboards.boards.posture import posture
from consumer.dashboards.boards.providers import providers
from consumer.dashboards.boards.tags import tags
from consumer.dashboards.definitions import Definitions
from consumer.dashboards.panels import Board

_BOARDS = (
    overview,
    providers,
    bounces,
    complaints,
    latency,
    engagement,
    tags,
    lookup,
    pipeline,
    posture,
)


def all_boards(definitions: Definitions) -> list[Board]:
    """Return every dashboard."""
    return [make(definitions) for make in _BOARDS]
