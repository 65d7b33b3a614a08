"""Ctrl-C while DuckDB computes in this process.

Python looks at a signal between two of its own instructions, and a statement of DuckDB's is one of
them, however long it takes. So a thread hears of the signal, and interrupts the statement.
"""

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import click

_ASK_SECS: Final = 0.1


@contextmanager
def ctrl_c_ends(interrupt: Callable[[], bool]) -> Iterator[None]:
    """Call ``interrupt`` on Ctrl-C, again and again until it says that nothing runs any more.

    What the statement raises then is overtaken by Python's own `KeyboardInterrupt`.
    """
    hearing, telling = socket.socketpair()
    telling.setblocking(False)
    is_over = threading.Event()

    def hear() -> None:
        while told := hearing.recv(64):
            if signal.SIGINT in told:
                while interrupt() and not is_over.wait(_ASK_SECS):
                    pass

    listener = threading.Thread(target=hear, name="ctrl-c", daemon=True)
    before = signal.set_wakeup_fd(telling.fileno(), warn_on_full_buffer=False)
    listener.start()
    try:
        yield
    finally:
        is_over.set()
        signal.set_wakeup_fd(before)
        telling.close()
        listener.join()
        hearing.close()


@contextmanager
def told_on_ctrl_c(say: Callable[[], str]) -> Iterator[None]:
    """Say on stderr, when Ctrl-C ends the body, what it did and what it did not."""
    try:
        yield
    except KeyboardInterrupt:
        click.echo(f"broken off: {say()}", err=True)
        raise
