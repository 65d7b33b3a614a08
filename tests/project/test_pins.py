"""What gets installed is what constraints.txt says, and it says nothing about where from."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

CHECKOUT = Path(__file__).parents[2]


def read_pins() -> dict[str, str]:
    lines = (CHECKOUT / "constraints.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines)


def read_direct_requirements() -> list[Requirement]:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    lines = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    return [Requirement(line) for line in lines]


def find_installed(requirements: list[Requirement]) -> dict[str, str]:
    """The installed closure of the requirements: canonical name to version."""
    found: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    pending = [(r, extra) for r in requirements for extra in ("", *r.extras)]
    while pending:
        requirement, extra = pending.pop()
        name = canonicalize_name(requirement.name)
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        try:
            installed = distribution(name)
        except PackageNotFoundError:
            pytest.fail(f"{name} is needed and not installed")
        found[name] = str(Version(installed.version))  # some say v1.0 for 1.0
        for line in installed.requires or ():
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                pending += [(needed, e) for e in ("", *needed.extras)]
    return found


def test_a_pin_is_a_name_and_a_version_and_nothing_else() -> None:
    for line in (CHECKOUT / "constraints.txt").read_text().splitlines():
        assert re.fullmatch(r"[a-z0-9][a-z0-9.-]*==[0-9][0-9a-z.+]*", line), line


def test_everything_installed_has_the_version_that_is_pinned() -> None:
    pins = read_pins()
    installed = find_installed(read_direct_requirements())

    assert installed == {name: pins.get(name, "not pinned") for name in installed}


def test_every_direct_requirement_admits_its_pin() -> None:
    pins = read_pins()

    for requirement in read_direct_requirements():
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)])
