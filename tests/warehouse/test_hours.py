"""The condition that holds in the hours at hand, a second either side."""

import random
import time
from datetime import UTC, datetime, timedelta

import duckdb
import pyarrow as pa

from consumer.warehouse.hours import hours_of, near, within

EPOCH = datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None)
HOUR = timedelta(hours=1)


def instants(*values: datetime) -> "pa.Array[pa.TimestampScalar]":
    return pa.array(values, pa.timestamp("us"))


def matched(condition: str, *values: datetime) -> list[datetime]:
    """The instants for which the condition holds, in order."""
    with duckdb.connect() as connection:
        connection.execute("create table seen (seen_at timestamp)")
        connection.register("given", pa.table({"seen_at": instants(*values)}))
        connection.execute("insert into seen select seen_at from given")
        rows = connection.table("seen").filter(condition).order("seen_at").fetchall()
    return [at for (at,) in rows]


def holds(condition: str, at: datetime) -> bool:
    return matched(condition, at) == [at]


def test_an_instant_lies_in_the_hour_that_it_starts() -> None:
    last = EPOCH + HOUR - timedelta(microseconds=1)
    assert [0, 1] == hours_of(instants(EPOCH, last, EPOCH + HOUR))


def test_hours_before_1970_are_counted_downwards() -> None:
    before = EPOCH - timedelta(microseconds=1)
    assert [-2, -1] == hours_of(instants(before, EPOCH - HOUR, EPOCH - HOUR - HOUR))


def test_missing_instants_have_no_hour() -> None:
    assert [] == hours_of(pa.array([None, None], pa.timestamp("us")))


def test_a_second_either_side_belongs_to_it() -> None:
    condition = within("seen_at", [10])
    second, micro = timedelta(seconds=1), timedelta(microseconds=1)

    assert holds(condition, EPOCH + 10 * HOUR - second)
    assert not holds(condition, EPOCH + 10 * HOUR - second - micro)
    assert holds(condition, EPOCH + 11 * HOUR + second - micro)
    assert not holds(condition, EPOCH + 11 * HOUR + second)


def test_no_hours_never_hold() -> None:
    assert "false" == within("seen_at", [])


def test_neighbouring_hours_make_one_stretch() -> None:
    assert within("seen_at", [5, 3, 4, 4]).count("between") == 0
    assert 1 == within("seen_at", [5, 3, 4, 4]).count(">=")
    assert 2 == within("seen_at", [3, 5]).count(">=")


def test_the_ends_of_time_can_be_written_down() -> None:
    first, last = datetime(1970, 1, 1), datetime(2199, 12, 31, 23, 59, 59)  # noqa: DTZ001 - columns hold UTC
    condition = within("seen_at", hours_of(instants(first, last)))

    assert holds(condition, first)
    assert holds(condition, last)
    assert not holds(condition, datetime(2026, 3, 2))  # noqa: DTZ001 - the same


def test_many_stretches_become_few_and_every_hour_still_holds() -> None:
    choice = random.Random(3)  # noqa: S311 - a seed, not a secret
    hours = choice.sample(range(100_000), 400)
    condition = within("seen_at", hours)
    everything = [EPOCH + hour * HOUR for hour in sorted(hours)]

    assert 6 == condition.count(">=")
    assert everything == matched(condition, *everything)


def test_joining_stretches_keeps_one_stray_far_away_apart() -> None:
    """One event stamped 1970 must not make the look-up the whole table."""
    hours = [0, *range(490_000, 490_200, 2)]

    assert not holds(within("seen_at", hours), EPOCH + 200_000 * HOUR)


def test_a_batch_of_ten_thousand_scattered_hours_costs_no_second() -> None:
    began = time.process_time()
    within("seen_at", range(0, 20_000, 2))

    assert time.process_time() - began < 1


def test_near_an_instant_is_a_second_either_side() -> None:
    at = EPOCH + 10 * HOUR
    condition = near("seen_at", instants(at, at))
    second, micro = timedelta(seconds=1), timedelta(microseconds=1)

    assert 1 == condition.count(">=")
    assert [at - second, at + second - micro] == matched(
        condition, at - second - micro, at - second, at + second - micro, at + second
    )


def test_near_no_instants_never_holds() -> None:
    assert "false" == near("seen_at", instants())
    assert "false" == near("seen_at", pa.array([None], pa.timestamp("us")))


def test_near_many_instants_the_closest_are_joined_and_the_widest_gaps_stay() -> None:
    groups = [EPOCH + day * 24 * HOUR for day in (0, 3, 5, 8, 13, 20, 20.1)]
    many = [at + timedelta(seconds=number) for at in groups for number in range(50)]
    condition = near("seen_at", instants(*many[::-1]))
    far = [at + 12 * HOUR for at in groups[:5]]

    assert 6 == condition.count(">=")
    assert many == matched(condition, *many, *far)
    # the closest two of seven groups are one stretch
    assert [groups[5] + HOUR] == matched(condition, groups[5] + HOUR)


def test_near_instants_a_second_apart_is_one_stretch() -> None:
    seconds = [EPOCH + timedelta(seconds=number) for number in range(1000)]

    assert 1 == near("seen_at", instants(*seconds)).count(">=")
