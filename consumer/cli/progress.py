"""A bar on the terminal for work that takes long; nothing where nobody watches."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


@contextmanager
def show_progress(doing: str, *, counts_bytes: bool = True) -> Iterator[Callable[[int, int], None]]:
    """Yield what takes bytes, or else things, done and in all."""
    count = DownloadColumn() if counts_bytes else MofNCompleteColumn()
    columns = (TextColumn(doing), BarColumn(), count, TimeRemainingColumn())
    console = Console(stderr=True)
    # where nobody watches, rich would still leave an empty line
    is_off = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=is_off) as progress:
        task = progress.add_task(doing, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


@contextmanager
def show_elapsed(doing: str) -> Iterator[None]:
    """Show how long work takes that cannot say how far it is: one statement of the user's own."""
    console = Console(stderr=True)
    columns = (TextColumn(doing), SpinnerColumn(), TimeElapsedColumn())
    is_off = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=is_off) as progress:
        progress.add_task(doing, total=None)
        yield
