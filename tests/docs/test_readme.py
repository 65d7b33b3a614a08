"""README says what the code does."""

import re
import shlex
from pathlib import Path

import click
import pytest

from consumer import errors
from consumer.cli import duckpost
from consumer.settings import settings_table

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_the_settings_table_is_the_one_the_code_renders() -> None:
    shown = README.split("<!-- settings -->\n")[1].split("<!-- /settings -->")[0]
    assert settings_table() == shown


def test_every_exit_code_is_in_the_table() -> None:
    codes = {value for name, value in vars(errors).items() if name.startswith("EXIT_")}
    table = README.split("| exit code | means |")[1].split("\n\n")[0]
    assert codes == {int(code) for code in re.findall(r"^\| (\d) \|", table, re.MULTILINE)}


def test_every_command_is_in_the_table_and_no_other() -> None:
    table = README.split("| command | does |")[1].split("\n\n")[0]
    named = set(re.findall(r"^\| `duckpost (\w+)", table, re.MULTILINE))
    assert set(duckpost.list_commands(click.Context(duckpost))) == named


@pytest.mark.parametrize(
    "line",
    [
        line.split("#")[0].split("<")[0].strip()
        for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
        for line in block.splitlines()
        if line.startswith("duckpost ")
    ],
)
def test_a_command_line_that_is_shown_is_one_that_parses(line: str) -> None:
    _, *words = shlex.split(line)
    command: click.Command = duckpost
    while isinstance(command, click.Group) and words:
        found = command.get_command(click.Context(command), words[0])
        if found is None:
            break
        command = found
        words.pop(0)
    if "--help" not in words:
        command.parse_args(click.Context(command), list(words))
