"""Whether what users made in the schema `my` still works."""

from consumer.door.access import Access
from consumer.errors import QueryError

_VIEWS = "select name from own_objects where kind = 'view' order by name"


def find_broken_views(access: Access) -> dict[str, str]:
    """Return users' own views that cannot be asked, each with the first line of why.

    An upgrade may have renamed or taken away a column that one of them reads.
    """
    with access.read(_VIEWS) as reader:
        names = [str(row["name"]) for batch in reader for row in batch.to_pylist()]
    broken = {}
    for name in names:
        quoted = name.replace('"', '""')
        try:
            with access.read(f'from my."{quoted}" limit 0') as reader:
                reader.schema  # noqa: B018 - being planned is enough
        except QueryError as error:
            broken[name] = str(error).splitlines()[0]
    return broken
