"""Views say what they are: a grain, a comment on each column, and no wildcard."""

import re
from collections.abc import Callable, Mapping

Row = dict[str, object]
Ask = Callable[..., list[Row]]
ViewFiles = Mapping[str, str]


def test_every_view_and_every_column_has_a_comment(ask: Ask) -> None:
    views = ask("from catalogue")
    assert len(views) > 500
    assert [] == [row for row in views if not row["description"]]


def test_a_file_is_named_after_its_view_and_says_its_grain(view_files: ViewFiles) -> None:
    for stem, text in view_files.items():
        views = re.findall(r"create or replace view (\w+)", text)
        prefix, _, name = stem.partition("_")
        assert prefix in {"00", "10", "20", "90"}
        if views:
            assert [name] == views
            assert text.startswith("-- grain: one row")


def test_no_view_selects_everything_or_groups_by_position(view_files: ViewFiles) -> None:
    for stem, text in view_files.items():
        assert not re.search(r"select\s+\*", text, re.IGNORECASE), stem
        assert not re.search(r"(group|order) by\s+\d", text, re.IGNORECASE), stem


def test_only_the_rate_macro_divides_counts(view_files: ViewFiles) -> None:
    for stem, text in view_files.items():
        code = re.sub(r"--.*|'(?:[^']|'')*'", "", text)
        dividing = "/" in code
        assert not dividing or stem in {"00_rates", "00_metric_rates"}, stem


def test_the_metric_catalogue_names_every_figure_of_the_views(ask: Ask) -> None:
    listed = {str(row["metric"]) for row in ask("select metric from metric_catalogue")}
    columns = {
        str(row["column_name"])
        for row in ask(
            "select column_name from duckdb_columns() "
            "where table_name = 'configuration_sets_daily_by_send_cohort' "
            "and data_type in ('BIGINT', 'DOUBLE')"
        )
    }
    plain = {name for name in columns if not name.endswith(("_low", "_high"))}
    assert {"cohort_age_hours"} == plain - listed
    assert set() == listed - columns


def test_cohort_views_alone_know_intervals_and_what_is_lost(ask: Ask) -> None:
    columns = {
        str(row["column_name"])
        for row in ask(
            "select column_name from duckdb_columns() "
            "where table_name like 'configuration_sets_%_by_event_time'"
        )
    }
    wrong = {name for name in columns if re.search(r"_low$|_high$|^lost|^accepted", name)}
    assert set() == wrong
    assert "cohort_day" not in columns


def test_every_dimension_is_a_column_of_the_counting_grain(ask: Ask) -> None:
    assert [] == ask(
        "select d.dimension from dimension_catalogue as d where d.dimension not in "
        "(select column_name from duckdb_columns() where table_name = 'event_tallies')"
    )
    assert [] == ask(
        "select m.metric from metric_catalogue as m where not list_has_all("
        "(select list(distinct d.dimension_group) from dimension_catalogue as d), "
        "m.dimension_groups)"
    )
