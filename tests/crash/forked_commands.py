"""A process that forks `duckpost`, a command at a time: imports are paid once, not once a command.

Reads orders from standard input, a JSON list of arguments a line, then says ``pid NUMBER`` and, at
its end, ``ended CODE`` (negative for a signal). What a command writes goes into the two files named
on the command line, anew for each.
"""

import json
import os
import sys
from pathlib import Path

import click

from consumer.cli import duckpost
from consumer.cli import main as run_duckpost

for verb in duckpost.list_commands(click.Context(duckpost)):
    duckpost.get_command(click.Context(duckpost), verb)  # imported when asked for


def run(arguments: list[str], out: Path, err: Path) -> None:
    """Be the command, in a process of its own."""
    for number, file in ((0, Path(os.devnull)), (1, out), (2, err)):
        flags = os.O_RDWR | os.O_CREAT | (os.O_TRUNC if number else 0)
        opened = os.open(file, flags, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    code = 1
    try:
        run_duckpost(arguments)
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def main() -> None:
    out, err = (Path(name) for name in sys.argv[1:])
    for line in iter(sys.stdin.readline, ""):
        process = os.fork()
        if process == 0:
            run(json.loads(line), out, err)
        os.write(1, f"pid {process}\n".encode())
        _, status = os.waitpid(process, 0)
        os.write(1, f"ended {os.waitstatus_to_exitcode(status)}\n".encode())


if __name__ == "__main__":
    main()
