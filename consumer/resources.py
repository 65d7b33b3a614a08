"""Where SQL and dashboards lie: beside the code in a wheel, a folder above it in a checkout."""

from pathlib import Path


def sql_folder() -> Path:
    """Return the folder with ``migrations/``, ``views/`` and ``seeds/``."""
    room = Path(__file__).resolve().parent
    for folder in (room / "sql", room.parent / "sql"):
        if (folder / "migrations").is_dir():
            return folder
    raise FileNotFoundError(f"no sql folder in {room} or beside it: the installation is incomplete")


def dashboards_folder() -> Path:
    """Return the folder with ``json/`` and ``provisioning/``."""
    room = Path(__file__).resolve().parent
    for folder in (room / "dashboards", room.parent / "dashboards"):
        if (folder / "provisioning").is_dir():
            return folder
    raise FileNotFoundError(
        f"no dashboards folder in {room} or beside it: the installation is incomplete"
    )
