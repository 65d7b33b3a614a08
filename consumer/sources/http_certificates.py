"""SNS's signing certificates: from which address, of what form, and kept how long.

Whoever can name the certificate can sign: S3 buckets lie under amazonaws.com too.
"""

import re
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import urllib3
from cryptography import x509
from cryptography.x509.oid import NameOID

from consumer.errors import SourceUnavailable
from consumer.sources.http_refusal import Refusal, Why

# A whole address, so that nothing is left for a port, a user, a query or a fragment.
_HOST = r"https://sns\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?"
_CERTIFICATE_URL = re.compile(_HOST + r"/SimpleNotificationService-[A-Za-z0-9]+\.pem")
_SUBSCRIBE_URL = re.compile(_HOST + r"/\?[!\"$-~]*")
_COMMON_NAME = re.compile(r"sns\.(?:[a-z0-9-]+\.)?amazonaws\.com(?:\.cn)?")
_ONE_PEM = re.compile(
    rb"\s*-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\s*"
)
_MOST_BYTES = 64 * 1024
_MOST_CERTIFICATES = 64  # a certificate lives a year, and regions share one
_FETCH_SECS = 3.0

Fetch = Callable[[str], tuple[int, bytes]]
"""Get an address without following redirects: status and at most 64 KiB and one byte.

Raises `SourceUnavailable` when nothing answers. Blocks.
"""


def is_subscribe_url(url: str) -> bool:
    """Whether it leads to SNS's own API and nowhere else, by the rule for certificates."""
    return len(url) <= _MOST_BYTES and _SUBSCRIBE_URL.fullmatch(url) is not None


class HttpsFetcher:
    """Gets addresses over verified TLS; a redirect is an answer like any other."""

    def __init__(self) -> None:
        self._pool = urllib3.PoolManager(
            retries=False, timeout=urllib3.Timeout(connect=_FETCH_SECS, read=_FETCH_SECS)
        )

    def __call__(self, url: str) -> tuple[int, bytes]:
        """See `Fetch`."""
        try:
            response = self._pool.request("GET", url, redirect=False, preload_content=False)
            try:
                return response.status, response.read(_MOST_BYTES + 1)
            finally:
                response.close()
        except urllib3.exceptions.HTTPError as error:
            host = url.split("/")[2]
            raise SourceUnavailable(f"{host} does not answer: {type(error).__name__}") from error


class FolderFetcher:
    """Finds certificates by their file name in a folder, where there is no way out to AWS."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, url: str) -> tuple[int, bytes]:
        """See `Fetch`. The address's rule leaves letters and digits for the file's name."""
        try:
            with (self._folder / url.rpartition("/")[2]).open("rb") as file:
                return 200, file.read(_MOST_BYTES + 1)
        except FileNotFoundError:
            return 404, b""
        except OSError as error:
            raise SourceUnavailable(f"{self._folder}: {error.strerror}") from error


class Certificates:
    """Certificates by address; each is fetched once. Called from several threads.

    Args:
        fetch: how to get one; tests bring their own.
    """

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._lock = threading.Lock()
        self._known: OrderedDict[str, x509.Certificate] = OrderedDict()

    def find_known(self, url: str) -> x509.Certificate | None:
        """Return the certificate if it was fetched before; never blocks."""
        return self._known.get(url)

    def find(self, url: str) -> x509.Certificate:
        """Return the certificate, fetched if need be; one at a time, so forgers wait in line.

        Raises `Refusal` for an address or a content that is none of SNS's.
        """
        if _CERTIFICATE_URL.fullmatch(url) is None:
            raise Refusal(Why.CERTIFICATE, "SigningCertURL is not an address of SNS")
        with self._lock:
            known = self._known.get(url)
            if known is None:
                known = self._known[url] = self._load(url)
                if len(self._known) > _MOST_CERTIFICATES:
                    self._known.popitem(last=False)
            return known

    def _load(self, url: str) -> x509.Certificate:
        try:
            status, body = self._fetch(url)
        except SourceUnavailable as error:
            raise Refusal(Why.CERTIFICATE_UNREACHABLE, str(error)) from error
        if status >= 500:  # noqa: PLR2004 - theirs to mend
            raise Refusal(Why.CERTIFICATE_UNREACHABLE, f"the certificate's host says {status}")
        if status != 200:  # noqa: PLR2004 - a redirect is a no too
            raise Refusal(Why.CERTIFICATE, f"there is no such certificate: status {status}")
        if len(body) > _MOST_BYTES or _ONE_PEM.fullmatch(body) is None:
            raise Refusal(Why.CERTIFICATE, "what lies there is not one PEM certificate")
        try:
            certificate = x509.load_pem_x509_certificate(body)
            names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        except ValueError as error:
            raise Refusal(Why.CERTIFICATE, "the certificate cannot be read") from error
        if len(names) != 1 or _COMMON_NAME.fullmatch(str(names[0].value)) is None:
            raise Refusal(Why.CERTIFICATE, "the certificate is not made out to SNS")
        return certificate
