"""The other yardstick: what a quick script does. json.loads, a row each, executemany.

python benchmarks/plain_script.py WAREHOUSE OBJECTS MOST_EVENTS
"""

import gzip
import itertools
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb

ROWS = 1_000
TABLE = """
create table events (
    event_type varchar, event_at varchar, sent_at varchar, message_id varchar, recipient varchar,
    configuration_set varchar, tags map(varchar, varchar[]), bounce_type varchar, link varchar,
    user_agent varchar, smtp_response varchar
)
"""


def rows(event: dict[str, Any]) -> Iterator[list[object]]:
    mail = event["mail"]
    thing: dict[str, Any] = next((event[k] for k in event if k not in ("eventType", "mail")), {})
    for recipient in mail["destination"]:
        yield [
            event["eventType"],
            thing.get("timestamp", mail["timestamp"]),
            mail["timestamp"],
            mail["messageId"],
            recipient,
            mail["tags"].get("ses:configuration-set", [None])[0],
            mail["tags"],
            thing.get("bounceType"),
            thing.get("link"),
            thing.get("userAgent"),
            thing.get("smtpResponse"),
        ]


def read_lines(objects: Path) -> Iterator[bytes]:
    for path in sorted(objects.rglob("*.gz")):
        with gzip.open(path) as lines:
            yield from lines


def main() -> None:
    warehouse, objects, most = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    with duckdb.connect(warehouse) as connection:
        connection.execute(TABLE)
        batch: list[list[object]] = []
        for line in itertools.islice(read_lines(objects), most):
            batch.extend(rows(json.loads(line)))
            if len(batch) >= ROWS:
                write(connection, batch)
                batch = []
        write(connection, batch)


def write(connection: duckdb.DuckDBPyConnection, batch: list[list[object]]) -> None:
    if batch:
        connection.execute("begin")
        connection.executemany("insert into events values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", batch)
        connection.execute("commit")


if __name__ == "__main__":
    main()
