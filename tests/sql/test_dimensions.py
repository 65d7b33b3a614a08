"""No figure vanishes for want of a dimension, and none is given by one that it lacks."""

from collections.abc import Callable

import pytest

Row = dict[str, object]
Log = Callable[..., Row]
Ask = Callable[..., list[Row]]

AT = "2026-03-01 10:00"
MESSAGE: Row = {
    "sent_at": AT,
    "identity_account": "999988887777",
    "tenant": "a tenant",
    "caller_identity": "app",
    "source_ip": "192.0.2.1",
    "source_tls_version": "TLSv1.3",
    "tags": [("campaign", ["spring"])],
}
DELIVERY: Row = {"outgoing_ip": "192.0.2.2", "outgoing_tls_version": "TLSv1.3"}
CLICK: Row = {"link": "https://example.com/", "link_tags": [("place", ["top"])]}


@pytest.fixture
def every_type(log: Log) -> None:
    """One message of each fate, to one or to several, each event with all that SES gives it."""
    for number in range(2):
        shared: Row = {"message_id": f"message-{number}", "destination_count": number + 1}
        shared |= MESSAGE
        log("Send", AT, **shared)
        log("Delivery", AT, **shared, **DELIVERY)
        log("Delivery", AT, **{**shared, **DELIVERY, "recipient": "a@yahoo.example"})
        log("DeliveryDelay", AT, **shared, delay_type="SendingDeferral")
        log("DeliveryDelay", AT, **{**shared, "recipient": "b@example.net"}, delay_type="General")
        for kind in ("Permanent", "Transient", "Undetermined"):
            log("Bounce", AT, **shared, bounce_type=kind, status="5.7.1", bounce_class="policy")
        log(
            *("Bounce", AT),
            **shared,
            bounce_sub_type="Suppressed",
            status="5.1.1",
            bounce_class="suppressed",
        )
        log(
            *("Bounce", AT),
            **shared,
            bounce_type="Transient",
            is_auto_reply=True,
            status="",
            bounce_class="auto_reply",
        )
        for feedback in (None, "auth-failure", "virus"):
            log("Complaint", AT, **shared, complaint_feedback_type=feedback)
        log("Complaint", AT, **{**shared, "recipient": "a@yahoo.example"})
        reader: Row = {"is_attributable": number == 0}
        reader |= {} if number == 0 else {"recipient": None}
        for rule in (None, "known_bot"):
            log("Open", AT, **shared, **reader, machine_rule=rule)
            log("Click", AT, **shared, **reader, **CLICK, machine_rule=rule)
        log("Subscription", AT, **{**shared, "recipient": reader.get("recipient", "a@b.example")})
    log("Send", AT, **MESSAGE, message_id="message-sent")
    log(
        *("Bounce", AT),
        **MESSAGE,
        message_id="message-bounced",
        status="5.1.1",
        bounce_class="invalid_recipient",
    )
    for failed in ("Reject", "Rendering Failure"):
        log(failed, AT, **MESSAGE, message_id=f"message-{failed}")


def test_a_figure_has_every_dimension_that_the_matrix_gives_it_and_no_other(
    every_type: None, ask: Ask
) -> None:
    matrix = ask(
        "select d.metric, d.dimension, d.is_answered from metric_dimensions as d "
        "join metric_catalogue as m using (metric) where m.kind = 'count' and metric != 'lost'"
    )
    pairs = [(str(row["metric"]), str(row["dimension"])) for row in matrix]
    # an empty map is no value either
    sums = ", ".join(
        f"[sum({metric} * (nullif({dimension}::varchar, '{{}}') is null)::int)::int, "
        f"sum({metric} * (nullif({dimension}::varchar, '{{}}') is not null)::int)::int]"
        for metric, dimension in pairs
    )
    [found] = ask(f"select [{sums}] as pairs from event_tallies")  # noqa: S608  our own names
    listed = found["pairs"]
    assert isinstance(listed, list)
    without = {
        pair
        for pair, row, (missing, _) in zip(pairs, matrix, listed, strict=True)
        if row["is_answered"] and missing
    }
    assert set() == without, "in the matrix, and yet some of it has no such dimension"
    beyond = {
        pair
        for pair, row, (missing, having) in zip(pairs, matrix, listed, strict=True)
        if not row["is_answered"] and having and not missing
    }
    assert set() == beyond, "outside the matrix, and yet all of it has the dimension"


def test_a_rate_has_no_dimension_that_one_of_its_parts_lacks(ask: Ask) -> None:
    assert [] == ask(
        "select r.metric, p.metric as part from metric_catalogue as r "
        "join metric_catalogue as p on p.metric in (r.numerator, r.denominator) "
        "where r.kind = 'rate' and not list_has_all(p.dimension_groups, r.dimension_groups)"
    )


def test_mail_without_a_configuration_set_is_a_line_of_its_own_in_every_view(
    log: Log, ask: Ask
) -> None:
    shared: Row = {"sent_at": AT, "configuration_set": None}
    log("Send", AT, sent_at=AT)
    log("Send", AT, **shared, message_id="setless")
    log("Delivery", AT, **shared, message_id="setless")
    log("Open", AT, **shared, message_id="setless")
    views = [
        str(row["table_name"])
        for row in ask(
            "select distinct table_name from duckdb_columns() where not internal "
            "and column_name = 'configuration_set' and regexp_matches(table_name, "
            "'^(configuration_sets|providers|latency|mail|event_coverage|event_publication)')"
        )
    ]
    assert len(views) > 8
    named = [
        str(row["table_name"])
        for row in ask(
            "select table_name from duckdb_columns() where column_name = 'configuration_set_name'"
        )
    ]
    assert set() == set(views) - set(named)
    for view in named:
        # once for all that is asked of it: planning a view is most of what this takes
        sets = {
            (row["name"], row["value"])
            for row in ask(
                "select distinct configuration_set_name as name, configuration_set as value "  # noqa: S608
                f"from {view}"
            )
        }
        assert {("(none)" if value is None else value, value) for _, value in sets} == sets, view
        assert view not in views or ("(none)", None) in sets, view


def test_every_view_of_mail_by_configuration_set_names_the_mail_without_one(ask: Ask) -> None:
    """Alerts say so in the column itself, and what AWS counts has whole accounts as NULL."""
    unnamed = ask(
        "select c.table_name as view from duckdb_columns() as c "
        "join duckdb_views() as v on v.view_name = c.table_name and not v.internal "
        "where c.column_name = 'configuration_set' and not exists (from duckdb_columns() as n "
        "where n.table_name = c.table_name and n.column_name = 'configuration_set_name')"
    )
    assert [] == [
        str(row["view"])
        for row in unnamed
        if not str(row["view"]).startswith(("alert_", "reconciliation"))
    ]
