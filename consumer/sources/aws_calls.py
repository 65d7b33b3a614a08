"""Single calls of AWS's control APIs, made with patience."""

import time
from collections.abc import Callable
from typing import Any, Final

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from consumer.sources.aws import AwsAccess, open_session
from consumer.sources.aws_faults import translate

# SES's lists allow one call a second, and a busy account shares that with its console.
_WAIT_SECS: Final = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)


class AwsCaller:
    """One service in one region; throttled calls and those that failed on the way are repeated.

    Args:
        access: whose credentials.
        service: as botocore names it: ``sesv2``.
        region: it wins over the access's own.
        sleep: how it waits between attempts.
    """

    def __init__(
        self,
        access: AwsAccess,
        service: str,
        region: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._service = service
        self._region = region
        self._sleep = sleep
        try:
            self.client: Any = open_session(access, region=region).create_client(
                service,
                region_name=region,
                endpoint_url=access.endpoint_url,
                # repeating is done here, where faults have our words
                config=Config(retries={"total_max_attempts": 1, "mode": "standard"}),
            )
        except (BotoCoreError, ClientError) as error:
            raise translate(error, f"opening {service} in {region}") from error

    def call(self, operation: str, **asked: object) -> dict[str, Any]:
        """Call an operation, ``list_metrics``; returns AWS's answer.

        Raises `SourceDenied`, or `SourceUnavailable` when patience ends, after half a minute.
        """
        waits = iter(_WAIT_SECS)
        while True:
            try:
                answer: dict[str, Any] = getattr(self.client, operation)(**asked)
            except (BotoCoreError, ClientError) as error:
                fault = translate(error, f"{self._service} {operation} in {self._region}")
                wait_secs = next(waits, None)
                if wait_secs is None or not fault.retryable:
                    raise fault from error
            else:
                return answer
            self._sleep(wait_secs)
