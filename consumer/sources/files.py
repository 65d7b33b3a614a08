"""SES events from the file system: files, folders, globs and standard input, once through."""

import errno
import glob
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path
from typing import BinaryIO

import structlog

from consumer.envelope import Envelope
from consumer.errors import SourceUnavailable, UsageError
from consumer.sources.one_shot import Unit

CHUNK_BYTES = 1_048_576
STDIN = "-"

_GLOB_CHARACTERS = frozenset("*?[")

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class FileBody:
    """A file's bytes as stored, still compressed, a mebibyte at a time.

    Attributes:
        path: the file.
        on_bytes: told how many bytes were read, for a progress bar.
        on_failed: told once when the file cannot be read to its end.
    """

    path: str
    on_bytes: Callable[[int], None]
    on_failed: Callable[[str, OSError], None]

    def chunks(self) -> Iterator[bytes]:
        """Stream the file; raises `SourceUnavailable` if it cannot be opened or read on."""
        try:
            with Path(self.path).open("rb") as file:
                while chunk := file.read(CHUNK_BYTES):
                    self.on_bytes(len(chunk))
                    yield chunk
        except OSError as error:
            self.on_failed(self.path, error)
            raise SourceUnavailable(f"reading {self.path}: {error.strerror or error}") from error


@dataclass(slots=True)
class StreamBody:
    """Standard input: what it gives is gone once read, so it streams only once."""

    stream: BinaryIO
    on_bytes: Callable[[int], None]
    is_read: bool = False

    def chunks(self) -> Iterator[bytes]:
        """Stream what comes, as it comes; raises `SourceUnavailable` on a second call."""
        if self.is_read:
            raise SourceUnavailable("standard input was read already and cannot be read again")
        self.is_read = True
        # read1 gives what there is: a pipe that trickles must not wait for a full mebibyte.
        read = getattr(self.stream, "read1", self.stream.read)
        try:
            while chunk := read(CHUNK_BYTES):
                self.on_bytes(len(chunk))
                yield chunk
        except OSError as error:
            raise SourceUnavailable(f"reading standard input: {error}") from error


class FilesSource:
    """Files as a `consumer.sources.base.Source`: each one envelope, handed out once, in order.

    Also a `consumer.sources.one_shot.OneShotSource`, whose units are paths.

    Every file is delivered, hidden, foreign and empty ones too: decode judges what is in it. A
    file named twice is delivered once. Folders are walked in sorted order, each once, so that
    links in a loop do no harm. What is nacked is handed out again, after the others.

    Args:
        paths: files, folders, globs (``**`` any depth), or ``-`` for standard input. A name that
            exists is taken as it is, whatever characters are in it.
        pattern: only files of folders whose name matches (``*.gz``); named files always.
        stdin: what ``-`` reads.
        max_attempts: how often a file that is nacked is handed out before it counts as failed.
        is_strict: whether paths must exist; else those that don't are `failed`, and logged.

    Attributes:
        failed: files and folders that could not be read, with why; their events are missing.
        files_total: files found.
        files_settled: of these, acked or failed for good.
        bytes_total: their size as stored; standard input counts as nothing.
        bytes_read: of all files so far, for progress; a file read again counts again.

    Raises:
        UsageError: paths that do not exist though they must, all of them in one message.
    """

    def __init__(
        self,
        paths: Sequence[str | os.PathLike[str]],
        *,
        pattern: str | None = None,
        stdin: BinaryIO | None = None,
        max_attempts: int = 3,
        is_strict: bool = True,
    ) -> None:
        self.failed: dict[str, str] = {}
        self.bytes_read = 0
        self._lock = threading.Lock()
        self._stdin = stdin
        self._max_attempts = max_attempts
        self._attempts: dict[str, int] = {}
        on_missing = _refuse_missing if is_strict else self._note_missing
        found = list(dict.fromkeys(_find(paths, pattern, self._note_failed, on_missing)))
        self._waiting: list[str] = found[::-1]
        self._out: set[str] = set()
        self.files_total = len(found)
        self.bytes_total = sum(_size_of(path) for path in found)
        self.files_settled = 0

    @property
    def name(self) -> str:
        """``files``: a run has one such source."""
        return "files"

    @property
    def exhausted(self) -> bool:
        """Whether every file was handed out; one that is nacked may still come again."""
        with self._lock:
            return not self._waiting

    @property
    def is_bound(self) -> bool:
        """Whether standard input is among the files: no other process can read ours."""
        return STDIN in self._waiting

    def units(self) -> Iterator[Unit]:
        """List the files that were not handed out, in order."""
        return (Unit(path, _size_of(path)) for path in reversed(self._waiting))

    def reader(self) -> "FileReader":
        """Return what reads the files, in any process."""
        return FileReader(self._stdin)

    def receive(self, *, limit: int, wait_secs: float) -> Sequence[Envelope]:  # noqa: ARG002 - files never make anybody wait
        """Hand out the next files, at once; nothing is opened yet."""
        received_at = datetime.now(UTC)
        with self._lock:
            count = min(limit, len(self._waiting))
            paths = [self._waiting.pop() for _ in range(count)]
            self._out.update(paths)
        return [self._make(path, received_at) for path in paths]

    def ack(self, envelopes: Sequence[Envelope]) -> None:
        """Count files as done; nothing on the disk changes."""
        with self._lock:
            for envelope in envelopes:
                path = str(envelope.receipt)
                if path in self._out:
                    self._out.remove(path)
                    self.files_settled += 1
                    self.failed.pop(path, None)  # an earlier attempt's fault is mended

    def nack(self, envelopes: Sequence[Envelope]) -> None:
        """Hand files out again after the others, or count them as failed after some attempts."""
        with self._lock:
            for envelope in envelopes:
                path = str(envelope.receipt)
                if path not in self._out:
                    continue
                self._out.remove(path)
                self._attempts[path] = self._attempts.get(path, 0) + 1
                if path == STDIN or self._attempts[path] >= self._max_attempts:
                    self.failed.setdefault(path, "could not be read or written")
                    self.files_settled += 1
                else:
                    self._waiting.insert(0, path)

    def close(self) -> None:
        """Forget what was not handed out."""
        with self._lock:
            self._waiting.clear()

    def _make(self, path: str, received_at: datetime) -> Envelope:
        return _make_envelope(path, received_at, self._stdin, self._note_bytes, self._note_failed)

    def _note_bytes(self, count: int) -> None:
        self.bytes_read += count

    def _note_missing(self, paths: Sequence[str]) -> None:
        for path in paths:
            self._note_failed(path, FileNotFoundError(errno.ENOENT, "no file, folder or match"))

    def _note_failed(self, path: str, error: OSError) -> None:
        reason = error.strerror or str(error)
        if path not in self.failed:
            _log.warning("file_not_read", path=path, reason=reason)
        self.failed[path] = reason


@dataclass(frozen=True, slots=True)
class FileReader:
    """Reads files by their paths, one after another; ``stdin`` is what ``-`` reads."""

    stdin: BinaryIO | None = None

    def read(self, units: Iterable[Unit]) -> Iterator[Envelope]:
        """Give an envelope a path; nothing is opened yet."""
        for unit in units:
            yield _make_envelope(unit.name, datetime.now(UTC), self.stdin, _ignore, _ignore)


def _ignore(*_: object) -> None:
    """Whoever reads a unit raises what fails, and counts what is done."""


def _make_envelope(
    path: str,
    received_at: datetime,
    stdin: BinaryIO | None,
    on_bytes: Callable[[int], None],
    on_failed: Callable[[str, OSError], None],
) -> Envelope:
    if path == STDIN:
        stream = StreamBody(stdin or sys.stdin.buffer, on_bytes)
        return Envelope(stream, path, "stdin", received_at)
    file = FileBody(path, on_bytes, on_failed)
    return Envelope(file, path, f"file:{Path(path).absolute()}", received_at)


def _find(
    paths: Iterable[str | os.PathLike[str]],
    pattern: str | None,
    on_failed: Callable[[str, OSError], None],
    on_missing: Callable[[Sequence[str]], None],
) -> Iterator[str]:
    """Name every file, once for each way it is reached, and tell in the end what is missing."""
    missing = []
    for path in paths:
        given = os.fspath(path)
        if given == STDIN or Path(given).exists():
            matches = [given]
        elif _GLOB_CHARACTERS & set(given):
            matches = sorted(glob.glob(given, recursive=True, include_hidden=True))  # noqa: PTH207 - pathlib's takes no absolute patterns
        else:
            matches = []
        if not matches:
            missing.append(given)
        for match in matches:
            if match != STDIN and Path(match).is_dir():
                yield from _walk(match, pattern, on_failed)
            else:
                yield match
    if missing:
        on_missing(missing)


def _refuse_missing(paths: Sequence[str]) -> None:
    raise UsageError(f"nothing to read: no file, folder or match for {', '.join(paths)}")


def _walk(
    folder: str, pattern: str | None, on_failed: Callable[[str, OSError], None]
) -> Iterator[str]:
    """Name the regular files of a folder and those below it, each folder once, sorted."""

    def note_unreadable(error: OSError) -> None:
        on_failed(str(error.filename), error)

    entered: set[tuple[int, int]] = set()
    for parent, folders, files in os.walk(folder, followlinks=True, onerror=note_unreadable):
        status = Path(parent).stat()
        if (status.st_dev, status.st_ino) in entered:  # a link led back up, or here twice
            folders.clear()
            continue
        entered.add((status.st_dev, status.st_ino))
        folders.sort()
        for file in sorted(files):
            path = Path(parent, file)
            if pattern is not None and not fnmatch(file, pattern):
                continue
            if path.is_file():
                yield str(path)
            elif path.is_symlink() and not path.exists():
                on_failed(str(path), FileNotFoundError(errno.ENOENT, "the link leads nowhere"))
            # else a pipe, a socket or a device, which would make us wait for ever


def _size_of(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except OSError:  # standard input, or gone: reading it will tell
        return 0
