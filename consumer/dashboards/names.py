"""The names that dashboards, rules, provisioning files and a push know each other by."""

from typing import Final

DATA_SOURCE_UID: Final = "duckpost"
DATA_SOURCE_TYPE: Final = "grafana-postgresql-datasource"
FOLDER_UID: Final = "duckpost"
FOLDER_TITLE: Final = "duckpost"
TAG: Final = "duckpost"
SCHEMA_VERSION: Final = 42
