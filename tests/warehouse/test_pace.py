"""How much long work does at once follows how long the work before took."""

import pytest

from consumer.warehouse.pace import AIM_SECS, FIRST_ROWS, LEAST_ROWS, MOST_ROWS, FoldPace, Pace


def test_portions_shrink_at_once_and_grow_slowly() -> None:
    pace = Pace()

    pace.learn(AIM_SECS * 4)
    shrunk = pace.rows
    pace.learn(AIM_SECS / 100)
    grown = pace.rows

    assert (FIRST_ROWS // 4, FIRST_ROWS // 4 * 3 // 2) == (shrunk, grown)


@pytest.mark.parametrize(("secs", "rows"), [(1_000.0, LEAST_ROWS), (0.0, MOST_ROWS)])
def test_portions_keep_within_their_bounds(secs: float, rows: int) -> None:
    pace = Pace()

    for _ in range(20):
        pace.learn(secs)

    assert rows == pace.rows


def test_changes_are_folded_once_enough_of_them_have_piled_up() -> None:
    pace = FoldPace()
    due = []

    for _ in range(4):
        pace.note(0.1)
        due.append(pace.is_due)
    pace.learn(AIM_SECS)

    assert [False, False, True, True] == due
    assert not pace.is_due


def note_until_due(pace: FoldPace) -> int:
    """How many changes of a hundredth of a second it takes."""
    changes = 0
    while not pace.is_due:
        pace.note(0.01)
        changes += 1
    return changes


def test_a_fold_that_took_long_is_followed_by_one_after_fewer_changes() -> None:
    pace = FoldPace()
    before = note_until_due(pace)

    pace.learn(AIM_SECS * 3)

    assert pytest.approx(before / 3, abs=1) == note_until_due(pace)


def test_folds_that_take_no_time_become_rare_but_not_for_ever() -> None:
    pace = FoldPace()
    changes = []

    for _ in range(12):
        changes.append(note_until_due(pace))
        pace.learn(0.0)

    assert sorted(changes) == changes
    assert pytest.approx(500, abs=1) == changes[-1]  # five seconds of changes


def test_folds_that_take_for_ever_do_not_follow_each_change() -> None:
    pace = FoldPace()

    for _ in range(12):
        note_until_due(pace)
        pace.learn(60.0)

    assert pytest.approx(5, abs=1) == note_until_due(pace)
