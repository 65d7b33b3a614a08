"""What a reader of a dashboard may choose: Grafana's variables."""

from dataclasses import dataclass
from typing import Literal

# Grafana puts this in as it stands where *All* is chosen, also when there is nothing to list.
ALL = "'__all__'"


@dataclass(frozen=True, slots=True)
class Choice:
    """One variable.

    Attributes:
        name: as it stands in ``${name:sqlstring}``.
        label: what is written beside it.
        sql: gives the values, for ``kind`` query.
        kind: ``query`` asks the warehouse, ``list`` has fixed values, ``text`` takes any.
        values: of a list; the first is chosen at first.
        is_many: whether several may be chosen, and *All*.
        by_range: whether the values are asked for anew when the time range changes.
        rest: the condition on ``{column}`` of the values that are one, *(other)*; none where empty.
    """

    name: str
    label: str
    sql: str = ""
    kind: Literal["query", "list", "text"] = "query"
    values: tuple[str, ...] = ()
    is_many: bool = True
    by_range: bool = False
    rest: str = ""


def is_chosen(name: str, column: str, rest: str = "") -> str:
    """Return the condition that a row's ``column`` is among what is chosen; NULL is ``(none)``.

    ``rest`` is the condition on ``{column}`` of what *(other)* stands for.
    """
    chosen = f"(${{{name}:sqlstring}})"
    others = f" or ('(other)' in {chosen} and {rest.format(column=column)})" if rest else ""
    return f"({ALL} in {chosen} or coalesce({column}, '(none)') in {chosen}{others})"


ACCOUNT = Choice(
    "account",
    "Account",
    "select distinct coalesce(c.account, '(none)') as account\n"
    "from configuration_sets as c\norder by account",
)
REGION = Choice(
    "region",
    "Region",
    "select distinct coalesce(c.region, '(none)') as region\n"
    f"from configuration_sets as c\nwhere {is_chosen('account', 'c.account')}\norder by region",
)
CONFIGURATION_SET = Choice(
    "configuration_set",
    "Configuration set",
    "select distinct c.configuration_set_name as configuration_set\n"
    f"from configuration_sets as c\nwhere {is_chosen('account', 'c.account')}\n"
    f"    and {is_chosen('region', 'c.region')}\norder by configuration_set",
)
_SEEN = """select coalesce(m.{name}, '(none)') as {name}
from mail_hourly_by_event_time as m
where $__timeFilter(m.event_hour)
group by m.{name}
having sum(m.sends + m.outcomes + m.delays + m.complaints + m.opens + m.clicks) > 0
order by sum(m.sends + m.deliveries + m.opens) desc, {name}
limit 500"""
IDENTITY = Choice("identity", "Identity", _SEEN.format(name="identity"), by_range=True)
# By the hour, domains of no listed provider are one line; other views have them one by one.
PROVIDER = Choice(
    "provider",
    "Provider",
    _SEEN.format(name="provider"),
    by_range=True,
    rest="{column} not in (select p.provider from providers as p)",
)
TIME_ZONE = Choice(
    "time_zone",
    "Time zone",
    kind="list",
    values=(
        "UTC",
        "America/Los_Angeles",
        "America/New_York",
        "America/Sao_Paulo",
        "Europe/London",
        "Europe/Berlin",
        "Asia/Kolkata",
        "Asia/Singapore",
        "Asia/Tokyo",
        "Australia/Sydney",
    ),
    is_many=False,
)

MESSAGE_CHOICES = (ACCOUNT, REGION, CONFIGURATION_SET)
MAIL_CHOICES = (*MESSAGE_CHOICES, IDENTITY, PROVIDER)


def chosen(choices: tuple[Choice, ...], alias: str) -> str:
    """Return the conditions of ``choices`` on columns of their names, as lines of a WHERE."""
    return "".join(
        f"\n    and {is_chosen(choice.name, f'{alias}.{choice.name}', choice.rest)}"
        for choice in choices
    )
