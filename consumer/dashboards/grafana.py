"""A Grafana's HTTP API, as much of it as a push needs.

https://grafana.com/docs/grafana/latest/developers/http_api/

Over urllib3, which is here anyway. grafana-client would bring urllib3-future, which puts itself in
urllib3's place for the whole environment, and with it under the AWS clients of a worker.
"""

import json
from typing import Any, Final

import urllib3

from consumer.errors import SourceDenied, SourceUnavailable, UsageError

_TIMEOUT_SECS: Final = 30.0
_DENIED: Final = (401, 403)
_MISSING: Final = 404
_BAD: Final = 400
_SERVER_FAULT: Final = 500

Json = dict[str, Any]


class Grafana:
    """One organisation of a Grafana, through a service account's token.

    Args:
        url: where its pages are, such as ``https://grafana.example.com``.
        token: of a service account with the role Admin, or Editor where the data source is there.

    Every method raises `SourceDenied` for a token that may not, `SourceUnavailable` where nobody
    answers, and `UsageError` for what Grafana refuses.
    """

    def __init__(self, url: str, token: str) -> None:
        self._url = url.rstrip("/")
        self._headers = {
            "Accept": "application/json",
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
        }
        retries = urllib3.Retry(3, backoff_factor=0.2, redirect=0, allowed_methods={"GET"})
        self._pool = urllib3.PoolManager(
            retries=retries, timeout=urllib3.Timeout(total=_TIMEOUT_SECS)
        )

    def get(self, path: str) -> Any | None:  # noqa: ANN401 - JSON is any
        """Return what is there, None where nothing is."""
        return self._request("GET", path)

    def post(self, path: str, value: Json) -> Any:  # noqa: ANN401 - JSON is any
        """Make something, or a new version of it."""
        return self._request("POST", path, value)

    def put(self, path: str, value: Json) -> Any:  # noqa: ANN401 - JSON is any
        """Put something in the place of what is there."""
        return self._request("PUT", path, value)

    def _request(self, method: str, path: str, value: Json | None = None) -> Any | None:  # noqa: ANN401 - JSON
        url = f"{self._url}/api{path}"
        body = None if value is None else json.dumps(value).encode()
        try:
            response = self._pool.request(method, url, body=body, headers=self._headers)
        except urllib3.exceptions.HTTPError as error:
            raise SourceUnavailable(
                f"{method} {url}: no answer from Grafana ({error}); is grafana.url right?"
            ) from error
        if response.status in _DENIED:
            raise SourceDenied(
                f"{method} {url}: Grafana refuses the token ({response.status}); give it the "
                "role Admin, or make a new one under Administration, Service accounts"
            )
        if response.status == _MISSING and method == "GET":
            return None
        if response.status >= _SERVER_FAULT:
            raise SourceUnavailable(f"{method} {url}: Grafana answers {response.status}")
        if response.status >= _BAD:
            said = response.data[:500].decode("utf-8", "backslashreplace")
            raise UsageError(f"{method} {url}: Grafana answers {response.status}: {said}")
        try:
            return json.loads(response.data)
        except ValueError as error:
            raise UsageError(
                f"{method} {url}: no JSON came back; is grafana.url the address of a Grafana?"
            ) from error
