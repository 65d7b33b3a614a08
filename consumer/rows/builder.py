"""Collects events and hands them over as one Arrow record batch."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from consumer.addresses import Address, parse_address
from consumer.rows.columns import COMMON, ROW_SCHEMA, TAGS
from consumer.rows.keys import to_event_key, to_group_key
from consumer.rows.kinds import KINDS, Detail, Kind
from consumer.rows.message import parse_source, parse_source_arn, region_of, split_tags
from schemas.events import SesEvent

_COMMON_NAMES = tuple(name for name, _ in COMMON)
_STEERING_NAMES = ("ordinal", "is_poor", "mark_key")
_NO_TAGS: tuple[dict[str, str], None] = ({}, None)
# These two carry of the message's tags only the configuration set's.
# https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-examples.html
_POOR_TYPES = frozenset({"DeliveryDelay", "Rendering Failure"})
# As Arrow a row takes a tenth of the memory, and what was just made is still in the cache.
_MOST_LOOSE_ROWS = 2_000
_ACTS_OF_A_READER = frozenset({"Open", "Click"})


class RowBuilder:
    """Rows of a batch in the making.

    Rows are kept apart by event type, each with its own columns only, and put together in
    `finish`: most of the sixty columns are empty for most types.

    ``addresses`` are all that the events name as recipients, normalised, since the last `finish`.
    """

    def __init__(self, *, secret: bytes, store_subject: bool = True) -> None:
        self._secret = secret
        self._store_subject = store_subject
        self._by_kind: dict[str, list[tuple[object, ...]]] = {}
        self._tables: list[pa.Table] = []
        self.rows = 0
        self.addresses: set[str] = set()

    def add(
        self,
        event: SesEvent,
        *,
        received_at: datetime,
        region: str | None,
        account: str | None = None,
    ) -> int:
        """Add one validated event; returns how many rows it makes (at least one).

        ``region`` and ``account`` are what it came with; the event's own word goes before them.
        """
        thing: Mapping[str, Any] = event
        published = thing.get("eventType")
        kind = KINDS[published or thing["notificationType"]]
        mail: Mapping[str, Any] = thing["mail"]
        detail = kind.read(thing.get(kind.object_key) or {}, mail)

        message_id: str = mail["messageId"]
        sent_at: datetime = mail["timestamp"]
        destination: Sequence[str] = mail.get("destination") or ()
        about_message = self._describe_message(mail, message_id, region, account)
        tags = mail.get("tags")
        is_poor = published is None or tags is None or kind.name in _POOR_TYPES
        head = (
            kind.name,
            detail.at or sent_at,
            sent_at,
            received_at,
            published is None,
            message_id,
        )
        rows = self._by_kind.setdefault(kind.name, [])
        for written, own in detail.entries:
            address = self._address(written, destination if kind.name == "Bounce" else ())
            token = address.token if address else ""
            if address is not None:
                self.addresses.add(address.text)
            rows.append(
                (
                    to_event_key(*detail.key, token),
                    *head,
                    *(
                        (address.text, address.as_written, address.domain)
                        if address
                        else (None, None, None)
                    ),
                    len(destination),
                    address is not None or kind.name not in _ACTS_OF_A_READER,
                    self._is_simulator(address, destination),
                    *about_message,
                    *own,
                    *detail.shared,
                    self.rows,
                    is_poor,
                    _mark_key(kind, detail, message_id, token),
                )
            )
            self.rows += 1
        if len(destination) != 1 or not detail.entries[0][0]:
            self.addresses.update(parse_address(one, self._secret).text for one in destination)
        if len(rows) >= _MOST_LOOSE_ROWS:
            self._tables.append(_to_table(kind, rows))
            self._by_kind[kind.name] = []
        return len(detail.entries)

    def finish(self) -> pa.Table:
        """Return all rows since the last call as a table of `ROW_SCHEMA`, in chunks."""
        tables = self._tables
        tables.extend(_to_table(KINDS[name], rows) for name, rows in self._by_kind.items() if rows)
        self._by_kind, self._tables = {}, []
        self.rows = 0
        self.addresses = set()
        # the empty one brings the columns that none of these types has, and their order
        return pa.concat_tables([ROW_SCHEMA.empty_table(), *tables], promote_options="default")

    def _describe_message(
        self,
        mail: Mapping[str, Any],
        message_id: str,
        region: str | None,
        account: str | None,
    ) -> tuple[object, ...]:
        """The columns from ``account`` to ``subject``, in the schema's order."""
        tags = mail.get("tags")
        ses, rest = split_tags(tags) if tags is not None else _NO_TAGS
        said = ses.get
        sender = parse_source_arn(mail.get("sourceArn") or "")
        source, domain = parse_source(mail.get("source") or "")
        headers = mail.get("commonHeaders") if self._store_subject else None
        return (
            mail.get("sendingAccountId") or account,
            region_of(sender, message_id, region),
            said("ses:configuration-set"),
            said("ses:tenant-name"),
            sender.identity,
            sender.account,
            source or None,
            said("ses:from-domain") or domain,
            said("ses:caller-identity") or mail.get("callerIdentity"),
            said("ses:operation"),
            said("ses:source-ip") or mail.get("sourceIp"),
            said("ses:source-tls-version"),
            said("ses:outgoing-ip"),
            said("ses:outgoing-tls-version"),
            rest,
            headers.get("subject") if headers else None,
        )

    def _address(self, written: str | None, destination: Sequence[str]) -> Address | None:
        """Whom a row is about.

        ``destination`` is given for a bounce: an address that the message was not sent to (a
        forwarder's) stands for the message's only destination.
        """
        if not written:
            return None
        address = parse_address(written, self._secret)
        if len(destination) != 1:
            return address
        meant = parse_address(destination[0], self._secret)
        if meant.text == address.text:
            return address
        self.addresses.add(address.text)
        return Address(meant.text, meant.domain, meant.token, written, meant.is_simulator)

    def _is_simulator(self, address: Address | None, destination: Sequence[str]) -> bool:
        if address is not None:
            return address.is_simulator
        return bool(destination) and all(
            parse_address(one, self._secret).is_simulator for one in destination
        )


def _mark_key(kind: Kind, detail: Detail, message_id: str, token: str) -> int | None:
    """The group in which the row may hold a mark; None where it counts by itself."""
    if not kind.is_marked:
        return None
    if detail.group is not None:
        return to_group_key("report", detail.group)
    # nobody named: who opened a mail to several is unknown, and nobody is delayed
    return to_group_key("recipient", message_id, token) if token else None


def _to_table(kind: Kind, rows: list[tuple[object, ...]]) -> pa.Table:
    names = (*_COMMON_NAMES, *kind.per_recipient, *kind.shared, *_STEERING_NAMES)
    columns = zip(names, zip(*rows, strict=True), strict=True)
    return pa.table({name: _to_array(name, values) for name, values in columns})


def _to_array(name: str, values: Sequence[Any]) -> pa.Array:
    data_type = ROW_SCHEMA.field(name).type
    if name == "event_key":
        plain = pa.array(values, pa.binary(16))
        return pa.ExtensionArray.from_storage(pa.uuid(), plain)
    if data_type == TAGS:
        return _to_map_array(values)
    # of instants Arrow takes the offset off, as `to_micros` does
    return pa.array(values, data_type)


def _to_map_array(values: Sequence[Any]) -> pa.Array:
    """Lay maps of lists out flat: several times faster than converting each by itself."""
    starts: list[int | None] = []
    names: list[str] = []
    list_starts = [0]
    texts: list[str] = []
    for value in values:
        if value is None:
            starts.append(None)
            continue
        starts.append(len(names))
        for name, listed in value.items() if isinstance(value, Mapping) else value:
            names.append(name)
            texts.extend(listed)
            list_starts.append(len(texts))
    starts.append(len(names))
    lists = pa.ListArray.from_arrays(
        pa.array(list_starts, pa.int32()), pa.array(texts, pa.string())
    )
    return pa.MapArray.from_arrays(
        pa.array(starts, pa.int32()), pa.array(names, pa.string()), lists
    )
