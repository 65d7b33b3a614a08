"""Measures a command as a whole: CPU of it and all its children, wall time, memory of the tree."""

import ctypes
import os
import resource
import statistics
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SAMPLE_SECS = 0.05


@dataclass(frozen=True, slots=True)
class Run:
    """One run: seconds and bytes; memory is the tree's proportional set size at its highest."""

    cpu_secs: float
    wall_secs: float
    peak_bytes: int


def run(command: Sequence[str]) -> Run:
    """Run to the end; raises ``CalledProcessError`` with what it printed when it fails."""
    _adopt_orphans()
    others = _children(os.getpid())
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    peak = 0
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(SAMPLE_SECS):
            peak = max(peak, _tree_bytes(process.pid))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    assert process.stdout is not None
    printed = process.stdout.read()
    process.stdout.close()
    process.wait()
    wall = time.monotonic() - began
    for orphan in _children(os.getpid()) - others:
        os.waitpid(orphan, 0)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    done.set()
    watcher.join()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, printed)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(cpu, wall, peak)


def _adopt_orphans() -> None:
    """Have processes that outlive their parent counted: the one that forks decoders does."""
    set_child_subreaper = 36  # PR_SET_CHILD_SUBREAPER, prctl(2)
    ctypes.CDLL(None).prctl(set_child_subreaper, 1, 0, 0, 0)


def median(runs: Sequence[Run]) -> Run:
    """The median of each figure."""
    return Run(
        statistics.median(one.cpu_secs for one in runs),
        statistics.median(one.wall_secs for one in runs),
        int(statistics.median(one.peak_bytes for one in runs)),
    )


def _children(pid: int) -> set[int]:
    """Children of any of its threads."""
    return {
        int(child)
        for listed in Path(f"/proc/{pid}/task").glob("*/children")
        for child in listed.read_text(encoding="ascii").split()
    }


def _tree_bytes(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        children = _children(pid)
    except OSError:
        return 0
    own = next((int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")), 0)
    return own * 1024 + sum(map(_tree_bytes, children))


def describe_machine() -> str:
    """Cores, memory and versions: what a figure is worth nothing without."""
    import duckdb  # noqa: PLC0415 - only for its version
    import pydantic  # noqa: PLC0415 - the same

    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        ),
        "unknown processor",
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} cores ({model}), {memory:.0f} GiB, "
        f"duckdb {duckdb.__version__}, pydantic {pydantic.__version__}"
    )
