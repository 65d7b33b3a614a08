"""Every setting, read in one place: `duckpost.toml`, overridden by `DUCKPOST_…`.

A setting in the section ``batch`` called ``max_rows`` is ``DUCKPOST_BATCH_MAX_ROWS`` in the
environment; ``DUCKPOST_WAREHOUSE`` is short for the warehouse's path, and ``DUCKPOST_SOURCES``
holds the list of sources as JSON. Unknown keys are refused, all faults at once.
"""

from consumer.settings.endpoint import EndpointSettings, EndpointUser
from consumer.settings.loading import DEFAULT_FILE, ENV_PREFIX, load_settings
from consumer.settings.model import Settings
from consumer.settings.section import Section
from consumer.settings.sections import (
    BatchSettings,
    ClassificationSettings,
    GrafanaSettings,
    HttpSettings,
    LogSettings,
    PrivacySettings,
    RetentionSettings,
    TelemetrySettings,
    WarehouseSettings,
)
from consumer.settings.sources import (
    FilesSettings,
    FirehoseSettings,
    KafkaSettings,
    S3Settings,
    SnsSettings,
    SourceSettings,
    SqsSettings,
    StreamSettings,
)
from consumer.settings.table import settings_table

__all__ = [
    "DEFAULT_FILE",
    "ENV_PREFIX",
    "BatchSettings",
    "ClassificationSettings",
    "EndpointSettings",
    "EndpointUser",
    "FilesSettings",
    "FirehoseSettings",
    "GrafanaSettings",
    "HttpSettings",
    "KafkaSettings",
    "LogSettings",
    "PrivacySettings",
    "RetentionSettings",
    "S3Settings",
    "Section",
    "Settings",
    "SnsSettings",
    "SourceSettings",
    "SqsSettings",
    "StreamSettings",
    "TelemetrySettings",
    "WarehouseSettings",
    "load_settings",
    "settings_table",
]
