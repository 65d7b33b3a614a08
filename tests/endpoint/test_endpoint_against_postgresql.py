"""What a real PostgreSQL answers, ours answers: values, types, tags and SQLSTATEs.

The statements are those that both can run. Known to differ, and left out: `generate_series` and
`length` give bigint, 1 / 2 is a fraction, expressions without a name of their own have others.
"""

# ruff: noqa: ANN401 - fixtures are of conftest, whose classes no test can import

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import pq

PLACES = ["/usr/lib/postgresql/*/bin", "/usr/local/pgsql/bin", "/opt/homebrew/opt/postgresql*/bin"]

ASKED = [
    "select 1, 2::bigint, 3::smallint, 'a'::text, null::text",
    "select true, false, null::boolean",
    "select 1.50::numeric(10, 2), 0.001::numeric(6, 3), 12345678901234567890.5::numeric(30, 1)",
    "select 1.5::float8, 'NaN'::float8, 'Infinity'::float8, '-Infinity'::float8, 1e100::float8",
    "select null::float8, null::float4, 0::float8, 123456789.25::float8, 1e-7::float8",
    "select 0.1::float8, 100000::float8, -2.5::float4",
    "select date '2026-01-02', timestamp '2026-01-02 03:04:05', time '03:04:05.5'",
    "select timestamp '2026-01-02 03:04:05.123456', timestamp '1970-01-01 00:00:00'",
    "select timestamptz '2026-01-02 03:04:05+02'",
    "select interval '1 day', interval '2 months 3 days 04:05:06', interval '00:00:01.5'",
    "select uuid '00000000-0000-0000-0000-000000000001'",
    "select array[1, 2, null]::integer[], array[]::text[]",
    "select array['a', 'b c', 'x,y', 'null', '', 'q\"q', 'back\\slash']::text[]",
    "select array[true, false], array[1.5, 2.5]::float8[]",
    "select array[timestamp '2026-01-02 03:04:05']",
    "select -1, -9223372036854775808::bigint, -32768::smallint, '2147483647'::oid, -0.0::float8",
    "select date '1999-12-31', timestamp '1970-01-01 00:00:00.000001', time '23:59:59.999999'",
    "select repeat('x', 127), repeat('x', 128), repeat('ß', 700), ''::text, repeat('€', 43)",
    "select 'A b'::bytea, null::bytea, null::uuid, null::date, null::float4, null::time",
    "select interval '1 month', 1, 'a', null::integer, 2.5::numeric(4, 1), date '2026-01-02'",
    "select array[null]::integer[], array[uuid '00000000-0000-0000-0000-00000000000a'], true",
    ("select (i - 500)::bigint * 12345678901, case when i % 3 = 0 then repeat('a', i::int) end, "
    "i / 7::float8 from generate_series(0, 999) as t(i)"),
    "select 'a' || 'b', upper('ab'), substring('abcdef' from 2 for 3)",
    "select count(*), sum(i)::bigint, min(i)::int, max(i)::int from generate_series(1, 10) as t(i)",
    "select * from (values (1, 'x'), (2, 'y'), (3, null)) as v (id, word) order by id desc",
    "select i::int from generate_series(1, 3) as t(i) where false",
    'with a as (select 1 as n) select n as "Mixed Case" from a',
    "select coalesce(null, 2), nullif(1, 1), greatest(1, 3), least(2, 1)",
    "select case when 1 < 2 then 'yes' else 'no' end",
    "select date_trunc('hour', timestamp '2026-01-02 03:04:05')",
    "select floor(extract(epoch from timestamp '2026-01-02 03:04:05') / 3600)::bigint * 3600",
    "select i::int as i, sum(i) over (order by i)::bigint from generate_series(1, 3) as t(i)",
    "select current_database() = current_catalog",
    "begin", "commit", "rollback", "begin", "select 1", "end",
    "set application_name = 'x'", "show application_name", "reset application_name",
    "show transaction isolation level", "show standard_conforming_strings",
    "discard all", "deallocate all", "close all", ";", "-- nothing",
    "explain select 1 where false",
    # and what goes wrong
    "selec 1", "select * from nosuch", "select nosuch from (select 1 as a) as t",
    "select 'x'::integer",
    "select cast('2026-13-01' as date)", "select a from (values (1)) as x(a), (values (1)) as y(a)",
    "select 99999999999::integer", "select 1::nosuch",
    "select sum(a), b from (values (1, 2)) as x(a, b)",
    "select (select 1 union all select 2)", "fetch 1 from nosuch", "deallocate nosuch",
    "close nosuch", "savepoint a", "show nosuch", "set client_encoding = 'nosuch'",
    "select '",
]  # fmt: skip


@pytest.fixture(scope="module")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real server in a folder of its own, on a free port of loopback."""
    found = [folder for place in PLACES for folder in sorted(Path("/").glob(place[1:]))]
    if not found:
        pytest.skip("PostgreSQL is not installed")
    programs, data = found[-1], tmp_path_factory.mktemp("postgresql") / "data"
    # it refuses to run as root, and whoever runs it must reach its folder
    as_other = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    prefix = as_other if os.geteuid() == 0 else []
    if prefix:
        if shutil.which("setpriv") is None:
            pytest.skip("PostgreSQL does not run as root, and setpriv is not installed")
        data = Path("/tmp") / f"duckpost-postgresql-{os.getpid()}" / "data"  # noqa: S108 - see above
        data.parent.mkdir(mode=0o700)
        os.chown(data.parent, 65534, 65534)
    bound = socket.create_server(("127.0.0.1", 0))
    port = bound.getsockname()[1]
    bound.close()
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
    words = f"-D {data} -U reader -A trust -E UTF8 --locale=C".split()
    make = [*prefix, str(programs / "initdb"), *words]
    control = [*prefix, str(programs / "pg_ctl"), "-D", str(data)]
    start = [*control, "-w", "-l", str(data.parent / "log"), "-o", options, "start"]
    try:
        subprocess.run(make, check=True, capture_output=True, cwd="/")
        subprocess.run(start, check=True, stdout=subprocess.DEVNULL, cwd="/")
        yield f"host=127.0.0.1 port={port} user=reader dbname=postgres"
    finally:
        stop = [*control, "-m", "immediate", "stop"]
        subprocess.run(stop, check=False, capture_output=True, cwd="/")
        shutil.rmtree(data.parent, ignore_errors=True)


def ask(dsn: str, form: pq.Format) -> dict[str, Any]:
    """What each statement is answered with: state and tag, columns with their types, rows."""
    answers: dict[str, Any] = {}
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.pgconn.exec_(b"set timezone = 'UTC'")
        for sql in ASKED:
            if form == pq.Format.BINARY and sql not in (";", "-- nothing"):
                result = connection.pgconn.exec_params(sql.encode(), None, result_format=form)
            else:
                result = connection.pgconn.exec_(sql.encode())
            state = result.error_field(pq.DiagnosticField.SQLSTATE)
            if state is not None:
                answers[sql] = state
                continue
            is_named = sql.startswith(("with", "select *"))
            columns = [
                (
                    result.fname(at) if is_named else "",
                    result.ftype(at),
                    result.fmod(at),
                )
                for at in range(result.nfields)
            ]
            rows = [
                [result.get_value(row, at) for at in range(result.nfields)]
                for row in range(result.ntuples)
            ]
            is_plan = sql.startswith("explain")
            answers[sql] = (result.command_status, columns, [] if is_plan else rows)
    return answers


@pytest.mark.parametrize("form", [pq.Format.TEXT, pq.Format.BINARY])
def test_statements_that_both_can_run_have_the_same_result(
    server: Any, postgresql: str, form: pq.Format
) -> None:
    real, ours = ask(postgresql, form), ask(server.dsn(), form)

    assert {} == {sql: (real[sql], ours[sql]) for sql in ASKED if real[sql] != ours[sql]}
