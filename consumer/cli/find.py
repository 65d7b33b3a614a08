"""`duckpost find`: the whole story of a message or a recipient."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console

from consumer.cli.options import as_json, configured, opened
from consumer.cli.output import NOTHING, open_console, print_table, to_plain, to_safe_text
from consumer.find import MOST_EVENTS, Advice, Message, Row, Story
from consumer.find import find as find_story
from consumer.report import parse_span

_ADVICE: Final = {
    "hard_bounce": "the address bounced hard",
    "complaint": "its owner complained",
    "unsubscribe": "its owner unsubscribed from everything",
    "refused_by_ses": "SES refuses to deliver there",
}
_SPANS: Final = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s"))


@click.command()
@click.argument("asked", metavar="ADDRESS | MESSAGE-ID")
@click.option("--since", help="Messages sent so long ago at most: 90m, 24h, 7d, 4w.")
@click.option(
    "--limit",
    default=20,
    show_default=True,
    type=click.IntRange(1, 500),
    help="So many messages of a recipient, the newest.",
)
@as_json
@configured
def find(  # noqa: PLR0913, PLR0917 - a parameter an option, as click has it
    asked: str,
    since: str | None,
    limit: int,
    is_json: bool,
    config: Path | None,
    warehouse: Path | None,
) -> None:
    """Tell the story of a message, or of everything sent to an address.

    An address is compared in lower case, without display name or quotes; one that was erased is
    found under its token. A message is named by SES's id or by its Message-ID header.
    """
    span = None if since is None else datetime.now(UTC).replace(tzinfo=None) - parse_span(since)
    with opened(config, warehouse, create=False) as access:
        story = find_story(access, asked, since=span, limit=limit)
    if is_json:
        click.echo(json.dumps(_to_json(story)))
        return
    _print(open_console(), story)


def _print(console: Console, story: Story) -> None:
    name = to_safe_text(story.asked)
    if story.advice is not None:
        console.print(f"{name}: {_count(story.total, 'message')}", style="bold", markup=False)
        if story.is_hidden:
            console.print("erased or hashed: its rows stand under a token", style="dim")
        console.print(f"mail again: {_to_sentence(story.advice)}", markup=False)
    if not story.messages:
        console.print(f"nothing is known of {name}", markup=False)
        return
    for message in story.messages:
        console.print()
        _print_message(console, message, has_recipients=story.advice is None)
    if story.total > len(story.messages):
        console.print(f"\nthe newest {len(story.messages)} of {story.total}; --limit shows more")
    if story.is_cut:
        console.print(f"\nthe first {MOST_EVENTS} events; `duckpost sql` has all")


def _print_message(console: Console, message: Message, *, has_recipients: bool) -> None:
    about = message.about
    states = message.states
    title = f"{message.message_id}  sent {about['sent_at']:%F %T} UTC"
    if not has_recipients:
        title += f"  {', '.join(states.values())}" if states else ""
    console.print(to_safe_text(title), style="bold", markup=False)
    facts = {
        "from": about["source"],
        "subject": about["subject"],
        "configuration set": about["configuration_set"],
        "account": about["account"],
        "region": about["region"],
        "tags": "; ".join(f"{name}={','.join(values)}" for name, values in about["tags"] or ()),
    }
    line = "  ".join(f"{name}: {value}" for name, value in facts.items() if value)
    console.print(to_safe_text(line), style="dim", markup=False)
    if has_recipients:
        for recipient, state in states.items():
            console.print(f"{to_safe_text(recipient)}: {state}", markup=False)
    names = ["event", "at (UTC)", "since sending", "where", "class", "why"]
    with_whom = has_recipients and len({row["recipient"] for row in message.events}) > 1
    rows = [_to_cells(row, with_whom=with_whom) for row in message.events]
    print_table(console, names[:1] + ["recipient"] * with_whom + names[1:], rows)


def _to_cells(row: Row, *, with_whom: bool) -> list[object]:
    written = row["recipient_as_written"]
    why = " ".join(part for part in (row["detail"], f"(written {written})" * bool(written)) if part)
    classes = [part for part in (row["kind"], row["bounce_class"]) if part]
    cells = [
        row["event_type"],
        f"{row['event_at']:%F %T}",
        to_span(row["since_sending_ms"]),
        row["place"],
        " ".join(classes) or None,
        why or None,
    ]
    if with_whom:
        cells.insert(1, row["recipient"])
    return cells


def _to_sentence(advice: Advice) -> str:
    if not advice.reasons:
        lifted = f" (lifted {advice.lifted_at:%F})" if advice.lifted_at else ""
        return f"nothing speaks against it{lifted}"
    why = ", ".join(_ADVICE[reason] for reason in advice.reasons)
    detail = f": {to_safe_text(advice.detail)}" if advice.detail else ""
    return f"no; {why} (since {advice.since:%F}, last {advice.last_at:%F}){detail}"


def to_span(milliseconds: int | None) -> str:
    """Write a span in its two largest units: ``2 d 3 h``, ``1.250 s``."""
    if milliseconds is None:
        return NOTHING
    sign, rest = "-" * (milliseconds < 0), abs(milliseconds)
    for index, (size, unit) in enumerate(_SPANS[:-1]):
        if rest >= size:
            finer, finer_unit = _SPANS[index + 1]
            more = f" {rest % size // finer} {finer_unit}" if rest % size >= finer else ""
            return f"{sign}{rest // size} {unit}{more}"
    return f"{sign}{rest / 1000:.3f} s"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _to_json(story: Story) -> dict[str, Any]:
    advice = story.advice
    found: dict[str, Any] = {
        "asked": story.asked,
        "total": story.total,
        "is_hidden": story.is_hidden,
        "is_cut": story.is_cut,
        "messages": [
            {
                "message_id": one.message_id,
                **{name: to_plain(value) for name, value in one.about.items()},
                "states": one.states,
                "events": [to_plain(row) for row in one.events],
            }
            for one in story.messages
        ],
    }
    if advice is not None:
        found["suppression"] = {
            "reasons": advice.reasons,
            "since": to_plain(advice.since),
            "last_at": to_plain(advice.last_at),
            "detail": advice.detail,
            "lifted_at": to_plain(advice.lifted_at),
        }
    return found
