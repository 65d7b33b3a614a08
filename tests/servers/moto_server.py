"""moto's server on a free port of loopback, with one gap of its own closed."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from moto.server import ThreadedMotoServer
from moto.sqs.models import Queue


@contextmanager
def open_moto() -> Iterator[str]:
    """Give the URL of a server that runs for as long as the body.

    Its queue deletes by building the list of what stays and putting it in place of the old one,
    without the lock that sending takes: a message sent in between was never there.
    """
    delete = Queue.delete_message

    def delete_alone(queue: Queue, receipt_handle: str) -> None:
        with queue._messages_lock:
            delete(queue, receipt_handle)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Queue, "delete_message", delete_alone)
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
        server.stop()
