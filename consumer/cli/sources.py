"""From settings to sources, and to what can be said of them without consuming anything."""

from collections import Counter
from collections.abc import Sequence

from consumer.cli.buckets import open_bucket, probe_bucket
from consumer.cli.endpoints import open_firehose, open_sns, probe_endpoint
from consumer.errors import SettingsError
from consumer.settings import (
    DEFAULT_FILE,
    FilesSettings,
    FirehoseSettings,
    KafkaSettings,
    S3Settings,
    SnsSettings,
    SourceSettings,
    SqsSettings,
    StreamSettings,
)
from consumer.sources.aws import AwsAccess
from consumer.sources.base import Source
from consumer.sources.files import FilesSource
from consumer.sources.sqs import SqsOptions, SqsSource
from consumer.sources.sqs_probe import probe_queue


def open_sources(settings: Sequence[SourceSettings]) -> list[Source]:
    """Make every source that is configured; queues are connected on their first receive.

    Raises `SettingsError` when there is none or two have one name, `UsageError` for paths that
    do not exist where files are all there is: beside others, files that were tidied away since the
    last start stop nobody.
    """
    if not settings:
        raise SettingsError(
            f'no source is configured: add [[sources]] to {DEFAULT_FILE} (type = "sqs", '
            "queue = …), or use `duckpost ingest` for files"
        )
    is_files_alone = all(isinstance(one, FilesSettings) for one in settings)
    sources = [_open(one, is_strict=is_files_alone) for one in settings]
    names = Counter(source.name for source in sources)
    doubled = sorted(name for name, count in names.items() if count > 1)
    if doubled:
        raise SettingsError(
            f"sources: {', '.join(doubled)} is configured more than once; figures are kept by "
            "that name, and one worker needs a queue only once (raise its receivers instead)"
        )
    return sources


def to_silence(settings: Sequence[SourceSettings], sources: Sequence[Source]) -> dict[str, float]:
    """Return each source's ``silence_secs`` by its name; ``sources`` were opened from ``settings``.

    Files come to an end, and are not listed.
    """
    return {
        source.name: one.silence_secs
        for one, source in zip(settings, sources, strict=True)
        if isinstance(one, StreamSettings)
    }


def probe(settings: SourceSettings) -> list[str]:
    """Say how a source is, consuming nothing; raises `SourceError` or `UsageError` if ill."""
    if isinstance(settings, SqsSettings):
        return probe_queue(_to_access(settings), settings.queue).describe()
    if isinstance(settings, S3Settings):
        return probe_bucket(settings)
    if isinstance(settings, FirehoseSettings | SnsSettings):
        return probe_endpoint(settings)
    if isinstance(settings, KafkaSettings):
        from consumer.cli.topics import probe_group  # noqa: PLC0415 - Kafka's client is slow to import

        return probe_group(settings)
    files = FilesSource(settings.paths)
    return [f"files: {files.files_total} found, {files.bytes_total / 1e6:.1f} MB as stored"]


def describe(settings: SourceSettings) -> str:
    """Name a source as its settings do."""
    if isinstance(settings, FilesSettings):
        return f"files {', '.join(settings.paths)}"
    if isinstance(settings, S3Settings):
        return f"s3 {settings.bucket}/{settings.prefix}"
    if isinstance(settings, FirehoseSettings | SnsSettings):
        return f"{settings.type} {settings.path}"
    if isinstance(settings, KafkaSettings):
        return f"kafka {', '.join(settings.topics)}"
    return f"sqs {settings.queue}"


def _open(settings: SourceSettings, *, is_strict: bool) -> Source:
    if isinstance(settings, SqsSettings):
        return SqsSource(to_sqs_options(settings))
    if isinstance(settings, S3Settings):
        return open_bucket(settings)
    if isinstance(settings, FirehoseSettings):
        return open_firehose(settings)
    if isinstance(settings, SnsSettings):
        return open_sns(settings)
    if isinstance(settings, KafkaSettings):
        from consumer.cli.topics import open_group  # noqa: PLC0415 - Kafka's client is slow to import

        return open_group(settings)
    return FilesSource(settings.paths, is_strict=is_strict)


def to_sqs_options(settings: SqsSettings) -> SqsOptions:
    """Return what the settings mean for the source; every one of them is passed on."""
    return SqsOptions(
        queue=settings.queue,
        access=_to_access(settings),
        receivers=settings.receivers,
        visibility_secs=settings.visibility_secs,
        long_poll_secs=settings.long_poll_secs,
        max_in_flight=settings.max_in_flight,
        max_in_flight_bytes=settings.max_in_flight_bytes,
        nack_secs=settings.nack_secs,
        buckets=frozenset(settings.buckets),
    )


def _to_access(settings: SqsSettings) -> AwsAccess:
    return AwsAccess(
        region=settings.region,
        profile=settings.profile,
        role_arn=settings.role_arn,
        role_external_id=settings.role_external_id,
        role_session_name=settings.role_session_name,
        endpoint_url=settings.endpoint_url,
        s3_endpoint_url=settings.s3_endpoint_url,
    )
