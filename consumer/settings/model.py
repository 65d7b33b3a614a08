"""The whole configuration, and its tables by name."""

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import Field, field_validator

from consumer.settings.endpoint import EndpointSettings
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
from consumer.settings.sources import FirehoseSettings, SnsSettings, SourceSettings


class Settings(Section):
    """The whole configuration."""

    warehouse: WarehouseSettings = WarehouseSettings()
    privacy: PrivacySettings = PrivacySettings()
    retention: RetentionSettings = RetentionSettings()
    classification: ClassificationSettings = ClassificationSettings()
    batch: BatchSettings = BatchSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    http: HttpSettings = HttpSettings()
    endpoint: EndpointSettings = EndpointSettings()
    grafana: GrafanaSettings = GrafanaSettings()
    log: LogSettings = LogSettings()
    sources: list[SourceSettings] = Field(default_factory=list)

    @field_validator("sources")
    @classmethod
    def _share_no_path(cls, value: list[SourceSettings]) -> list[SourceSettings]:
        paths = [one.path for one in value if isinstance(one, FirehoseSettings | SnsSettings)]
        doubled = sorted({path for path in paths if paths.count(path) > 1})
        if doubled:
            raise ValueError(f"path {', '.join(doubled)} is given to more than one source")
        return value


def section_fields() -> Iterator[tuple[str, str, Any]]:
    """Yield section, key and pydantic's field of every setting outside the sources."""
    for section, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            for key, inner in field.annotation.model_fields.items():
                yield section, key, inner


def source_models() -> tuple[type[Section], ...]:
    """Return the table of each type of source, in the order of `source_tags`."""
    union, _ = get_args(SourceSettings)
    models: tuple[type[Section], ...] = get_args(union)
    return models


def source_tags() -> list[str]:
    """Return what may stand behind ``type`` in a source's table."""
    return [get_args(model.model_fields["type"].annotation)[0] for model in source_models()]
