"""What a user installs: the packages, the SQL that travels with them, and nothing beside."""

import os
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest

import consumer
import schemas
from consumer.resources import sql_folder

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder],
        cwd=CHECKOUT,
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("*.whl")
    return zipfile.Path(built)


def names_in(wheel: zipfile.Path) -> set[str]:
    return {name for name in wheel.root.namelist() if not name.endswith("/")}


def test_the_wheel_installs_no_other_top_level_package(wheel: zipfile.Path) -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]

    assert {"consumer", "schemas", f"duckpost-{project['version']}.dist-info"} == {
        entry.name for entry in wheel.iterdir()
    }


def test_every_sql_file_of_the_checkout_travels_under_consumer(wheel: zipfile.Path) -> None:
    in_checkout = {
        f"consumer/{path.relative_to(CHECKOUT).as_posix()}"
        for path in (CHECKOUT / "sql").rglob("*")
        if path.is_file()
    }

    assert {"migrations", "views", "seeds"} <= {name.split("/")[2] for name in in_checkout}
    assert in_checkout == {n for n in names_in(wheel) if n.startswith("consumer/sql/")}


def test_dashboards_and_provisioning_files_travel_beside_the_code_that_builds_them(
    wheel: zipfile.Path,
) -> None:
    in_checkout = {
        f"consumer/{path.relative_to(CHECKOUT).as_posix()}"
        for path in (CHECKOUT / "dashboards").rglob("*")
        if path.is_file()
    }

    assert "consumer/dashboards/json/duckpost-overview.json" in in_checkout
    assert in_checkout | {"consumer/dashboards/build.py"} <= names_in(wheel)


def test_the_wheel_carries_its_licence_and_the_command(wheel: zipfile.Path) -> None:
    info = next(entry for entry in wheel.iterdir() if entry.name.endswith(".dist-info"))

    assert "Apache License" in (info / "licenses" / "LICENSE").read_text()
    assert "duckpost = consumer.cli:main" in (info / "entry_points.txt").read_text()


def test_the_sql_is_found_wherever_the_package_was_imported_from() -> None:
    assert (sql_folder() / "migrations" / "0001_core.sql").is_file()


@pytest.mark.skipif(
    os.environ.get("WHEEL_UNDER_TEST") != "1",
    reason="imports the checkout; `make test` runs this against the installed wheel",
)
def test_these_tests_run_against_the_installed_wheel() -> None:
    installed = Path(sysconfig.get_path("purelib")).resolve()

    for package in (consumer, schemas):
        assert package.__file__ is not None
        assert installed == Path(package.__file__).resolve().parents[1]
    assert installed / "consumer" / "sql" == sql_folder().resolve()
