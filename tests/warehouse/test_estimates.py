"""How long a backup and a rewrite will take is said beforehand, by what the last one took."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from consumer.warehouse import estimates
from consumer.warehouse.backup import back_up
from consumer.warehouse.erasure.rewriting import rewrite
from consumer.warehouse.estimates import Estimate, estimate_backup, estimate_rewrite

if TYPE_CHECKING:
    from tests.conftest import Letter
    from tests.warehouse.conftest import Desk


def test_a_first_one_goes_by_the_rate_of_a_usual_machine(desk: "Desk", letter: "Letter") -> None:
    desk.write(letter.send())
    for estimate in (estimate_backup(desk.warehouse), estimate_rewrite(desk.warehouse)):
        assert not estimate.is_measured
        assert estimate.bytes > desk.warehouse.path.stat().st_size
        assert 1 <= estimate.seconds < 10
    backup = estimate_backup(desk.warehouse)
    assert backup.paused_seconds < backup.seconds


def test_a_later_one_goes_by_what_was_measured(
    desk: "Desk", letter: "Letter", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estimates, "_LEAST_BYTES", 1)
    desk.write(letter.send())
    back_up(desk.warehouse, tmp_path / "copy")
    ((rate,),) = desk.warehouse._connection.execute(
        "select value from warehouse_facts where name = 'backup_bytes_per_sec'"
    ).fetchall()
    backup = estimate_backup(desk.warehouse)

    assert backup.is_measured
    assert backup.seconds == pytest.approx(1 + backup.bytes / float(rate))


def test_little_says_nothing_of_much(desk: "Desk", letter: "Letter", tmp_path: Path) -> None:
    desk.write(letter.send())
    back_up(desk.warehouse, tmp_path / "copy")
    assert not estimate_backup(desk.warehouse).is_measured


def test_a_rewrite_leaves_its_rate_in_the_new_file(
    new_desk: Callable[..., "Desk"], letter: "Letter"
) -> None:
    desk = new_desk()
    desk.write(letter.send())
    desk.warehouse.change(
        "making it large",
        lambda connection: connection.execute(
            "create table ballast as select uuid() as a, uuid() as b from range(1_200_000)"
        ),
    )
    desk.warehouse.close()
    rewrite(desk.warehouse.place, desk.warehouse.options)
    desk.warehouse._open()

    estimate = estimate_rewrite(desk.warehouse)
    assert estimate.is_measured
    assert estimate.seconds == estimate.paused_seconds


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        (
            Estimate(1_234_500_000, 21.4, 12.3, is_measured=True),
            "1,234.5 MB: about 21 s, of which commits wait about 12 s",
        ),
        (
            Estimate(1_234_500_000, 155.3, 155.3, is_measured=False),
            "1,234.5 MB: about 155 s, in which nothing is taken in (a usual machine's rate)",
        ),
    ],
)
def test_it_is_said_in_one_line(estimate: Estimate, text: str) -> None:
    assert text == str(estimate)
