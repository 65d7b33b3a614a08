"""Faults of the world, as exceptions; faults in the data are values (see `consumer.decoded`).

DuckpostError                      exit 1  failed
├── UsageError                     exit 2  a command used in a way that cannot work
├── SettingsError                  exit 2  configuration refused; all faults at once
├── SourceError                    exit 1  a transport failed
│   ├── SourceUnavailable          retryable: network, throttling, 5xx
│   │   └── ObjectGone             an S3 object that a notice names is not there
│   ├── SourceDenied               exit 3  credentials, permission, no such queue
│   └── EnvelopesLost              retryable: what was handed out is somebody else's now
├── QueryError                     exit 1  a reader's statement was refused or failed
│   └── StatementFault             the same, with DuckDB's class of fault
└── WarehouseError                 exit 4  the warehouse failed
    ├── WarehouseLocked            exit 4  another process has the file
    ├── WarehouseFull              retryable: no room on the disk, memory limit
    ├── WarehouseDamaged           exit 4  the file does not open and could not be mended
    ├── WarehouseNewer             exit 4  written by a newer duckpost
    ├── PositionMoved              retryable: somebody else read on from there already
    └── CommitOutcomeUnknown       the COMMIT raised: rows may or may not be there
"""

from typing import ClassVar

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_DENIED = 3
EXIT_WAREHOUSE = 4


class DuckpostError(Exception):
    """Base of all; its message says what was attempted, on what, and what to do."""

    exit_code: ClassVar[int] = EXIT_FAILED
    retryable: ClassVar[bool] = False


class UsageError(DuckpostError):
    """A command was used in a way that cannot work."""

    exit_code = EXIT_USAGE


class SettingsError(DuckpostError):
    """The configuration was refused; the message lists every fault, one a line."""

    exit_code = EXIT_USAGE


class SourceError(DuckpostError):
    """A transport failed."""


class SourceUnavailable(SourceError):  # noqa: N818 - named for the state, as users meet it
    """The transport did not answer or asked to slow down; trying again may help."""

    retryable = True


class ObjectGone(SourceUnavailable):
    """The S3 object that a notice named is not there: not yet, or not any more.

    Attributes:
        is_final: whether it has been missing for so long that waiting is over: the notice goes
            to quarantine and its message is settled. Until then the envelope is nacked.
        notice: the notice verbatim, for the quarantine; empty where no notice named the object.
    """

    def __init__(self, message: str, *, is_final: bool = False, notice: bytes = b"") -> None:
        super().__init__(message)
        self.is_final = is_final
        self.notice = notice


class SourceDenied(SourceError):  # noqa: N818 - the same
    """The transport refused us: credentials, permission, or no such queue or bucket."""

    exit_code = EXIT_DENIED


class EnvelopesLost(SourceError):  # noqa: N818 - the same
    """Another reader has what the source handed out: drop it unwritten, all of it comes again."""

    retryable = True


class QueryError(DuckpostError):
    """A reader's statement was refused, or failed for its own reasons; the warehouse is well."""


class StatementFault(QueryError):  # noqa: N818 - named for whose fault it is
    """A statement of the SQL endpoint failed; ``kind`` is the name of DuckDB's exception."""

    def __init__(self, message: str, *, kind: str = "Error") -> None:
        super().__init__(message)
        self.kind = kind


class WarehouseError(DuckpostError):
    """The warehouse failed; nothing of the batch at hand is acknowledged."""

    exit_code = EXIT_WAREHOUSE


class WarehouseLocked(WarehouseError):  # noqa: N818 - the same
    """Another process has the file open; `pid` names it where the system tells."""

    def __init__(self, message: str, *, pid: int | None = None) -> None:
        super().__init__(message)
        self.pid = pid


class WarehouseFull(WarehouseError):  # noqa: N818 - the same
    """There is no room for the batch, on disk or in memory; the batch was rolled back whole."""

    retryable = True


class WarehouseDamaged(WarehouseError):  # noqa: N818 - the same
    """The file does not open and could not be mended; the message names the next command.

    Attributes:
        fault: DuckDB's own words, where it was DuckDB that met the damage.
    """

    def __init__(self, message: str, *, fault: str = "") -> None:
        super().__init__(message)
        self.fault = fault


class WarehouseNewer(WarehouseError):  # noqa: N818 - the same
    """The file was written by a newer duckpost than this one."""


class PositionMoved(WarehouseError):  # noqa: N818 - the same
    """A batch reads on from a position that is not the stored one; it was rolled back whole.

    Somebody else committed what it holds, or part of it: the fence that keeps a reader which
    lost its partitions without noticing from writing them twice.
    """

    retryable = True


class CommitOutcomeUnknown(WarehouseError):  # noqa: N818 - the same
    """The COMMIT raised: its rows may be in the file or not, and this instance must not go on.

    The caller nacks what it holds and starts a new process; redelivery and dedup settle it.
    """
