"""From settings and `s3://` URLs to buckets."""

from collections.abc import Iterable, Sequence

from consumer.settings import S3Settings, SourceSettings
from consumer.sources.aws import AwsAccess
from consumer.sources.s3_bucket import S3Bucket, S3Place, parse_url
from consumer.sources.s3_objects import S3Objects
from consumer.sources.s3_source import S3Options, S3Source

# A one-shot command has no back-off of its own around a request: S3 may ask it to slow down.
_ONE_SHOT_ATTEMPTS = 8


def open_bucket(settings: S3Settings) -> S3Source:
    """Make the source that polls a bucket; nothing is asked of S3 yet."""
    return S3Source(to_s3_options(settings))


def probe_bucket(settings: S3Settings) -> list[str]:
    """Say how a bucket is, reading nothing; raises `SourceError` if ill."""
    bucket = S3Bucket(to_s3_options(settings).place)
    try:
        return bucket.probe()
    finally:
        bucket.close()


def to_s3_options(settings: S3Settings) -> S3Options:
    """Return what the settings mean for the source; every one of them is passed on."""
    return S3Options(
        place=S3Place(
            bucket=settings.bucket,
            prefix=settings.prefix,
            access=_to_access(settings),
            expected_owner=settings.expected_owner,
            connections=settings.objects_at_once + 1,
        ),
        poll_secs=settings.poll_secs,
        sweep_secs=settings.sweep_secs,
        look_back_secs=settings.look_back_secs,
        objects_at_once=settings.objects_at_once,
    )


def open_objects(urls: Iterable[str], configured: Sequence[SourceSettings]) -> list[S3Objects]:
    """Make the one-shot sources of `s3://` URLs, each once.

    A bucket that one of the ``configured`` sources names is read as that one is; of others,
    credentials, region and endpoint come from the places the AWS SDKs look in. Raises
    `UsageError` for a URL that names no bucket.
    """
    known = {one.bucket: one for one in configured if isinstance(one, S3Settings)}
    sources = []
    for url in dict.fromkeys(urls):
        bucket, prefix = parse_url(url)
        settings = known.get(bucket)
        place = S3Place(
            bucket=bucket,
            prefix=prefix,
            access=_to_access(settings) if settings else AwsAccess(),
            expected_owner=settings.expected_owner if settings else None,
            attempts=_ONE_SHOT_ATTEMPTS,
        )
        sources.append(S3Objects(place))
    return sources


def _to_access(settings: S3Settings) -> AwsAccess:
    return AwsAccess(
        region=settings.region,
        profile=settings.profile,
        role_arn=settings.role_arn,
        role_external_id=settings.role_external_id,
        role_session_name=settings.role_session_name,
        s3_endpoint_url=settings.endpoint_url,
    )
