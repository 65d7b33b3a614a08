"""Files for a Grafana that reads files."""

from pathlib import Path

import yaml
from click.testing import CliRunner

from consumer.cli import duckpost


def test_an_export_has_all_that_grafana_reads(tmp_path: Path) -> None:
    result = CliRunner().invoke(duckpost, ["dashboards", "export", str(tmp_path / "grafana")])

    assert 0 == result.exit_code
    files = {
        path.relative_to(tmp_path / "grafana").as_posix()
        for path in tmp_path.rglob("*")
        if path.is_file()
    }
    assert 10 == sum(name.startswith("json/") for name in files)
    assert files >= {
        "provisioning/alerting/duckpost.yaml",
        "provisioning/dashboards/duckpost.yaml",
        "provisioning/datasources/duckpost.yaml",
        "optional/notifications.yaml",
    }


def test_provisioning_files_are_yaml_of_version_one(tmp_path: Path) -> None:
    CliRunner().invoke(duckpost, ["dashboards", "export", str(tmp_path)])

    for file in tmp_path.rglob("*.yaml"):
        assert 1 == yaml.safe_load(file.read_text(encoding="utf-8"))["apiVersion"], file.name
