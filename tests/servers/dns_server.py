"""A DNS server on loopback, over UDP, that says what a test put into it."""

import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

# MX as ``10 host.example.``, an rcode, or None for silence.
Zone = Sequence[str] | dns.rcode.Rcode | None


@dataclass
class DnsServer:
    """What each domain is answered with, and who was asked about.

    Attributes:
        zones: by domain; one that is not named does not exist.
        asked: domains, each time that one was asked about.
    """

    address: str
    zones: Mapping[str, Zone]
    asked: list[str] = field(default_factory=list)

    def answer(self, question: bytes) -> bytes | None:
        """Return the answer's bytes, None for silence."""
        query = dns.message.from_wire(question)
        name = query.question[0].name
        domain = name.to_text(omit_final_dot=True).lower()
        self.asked.append(domain)
        said = self.zones.get(domain, dns.rcode.NXDOMAIN)
        if said is None:
            return None
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        if isinstance(said, dns.rcode.Rcode):
            answer.set_rcode(said)
        elif said:
            answer.answer.append(dns.rrset.from_text_list(name, 300, "IN", "MX", said))
        return answer.to_wire()


@contextmanager
def serve_dns(zones: Mapping[str, Zone]) -> Iterator[DnsServer]:
    """Answer on a free port until the body ends."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        host, port = bound.getsockname()
        server = DnsServer(f"{host}:{port}", zones)
        thread = threading.Thread(target=_serve, args=[server, bound], daemon=True)
        thread.start()
        yield server
        bound.sendto(b"", (host, port))  # an empty datagram ends it
        thread.join()


def _serve(server: DnsServer, bound: socket.socket) -> None:
    while True:
        question, client = bound.recvfrom(4_096)
        if not question:
            return
        answer = server.answer(question)
        if answer is not None:
            bound.sendto(answer, client)
