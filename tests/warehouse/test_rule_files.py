"""A user's own rules go before ours, and what is wrong with them is said by file and line."""

from pathlib import Path

import pytest

from consumer.errors import SettingsError
from consumer.resources import sql_folder
from consumer.warehouse import WarehouseOptions, open_warehouse
from consumer.warehouse.rules.files import RuleFiles, Rules, read_rules

SEEDS = sql_folder() / "seeds"


def read(tmp_path: Path, *, providers: str = "", machines: str = "", bounces: str = "") -> Rules:
    files: dict[str, Path | None] = {}
    for name, text in (("providers", providers), ("machines", machines), ("bounces", bounces)):
        file = tmp_path / f"{name}.csv"
        file.write_text(text, encoding="utf-8")
        files[name] = file if text else None
    return read_rules(SEEDS, RuleFiles(files["providers"], files["machines"], files["bounces"]))


def test_the_rules_that_come_with_duckpost_have_no_fault(tmp_path: Path) -> None:
    rules = read(tmp_path)
    assert {rule.bounce_class for rule in rules.bounce_rules} < {
        row.bounce_class for row in rules.bounce_classes
    }
    assert {"Yahoo"} < rules.looped


def test_a_domain_is_whoevers_the_user_says(tmp_path: Path) -> None:
    rules = read(tmp_path, providers="domain,provider\nGMAIL.com.,Post\ncorp.example,Post\n")
    mapped = {row.domain: row.provider for row in rules.providers}
    assert ("Post", "Post") == (mapped["gmail.com"], mapped["corp.example"])
    assert len(rules.providers) == len(mapped)


def test_what_a_user_says_of_a_feedback_loop_holds_for_the_whole_provider(tmp_path: Path) -> None:
    own = "domain,provider,has_feedback_loop\ncorp.example,Yahoo,false\nmail.example,Own,true\n"
    rules = read(tmp_path, providers=own)
    assert {"Own"} == rules.looped - read(tmp_path).looped
    assert "Yahoo" not in rules.looped


def test_a_users_rules_go_first_and_take_the_place_of_ours_of_the_same_name(
    tmp_path: Path,
) -> None:
    rules = read(
        tmp_path,
        machines="rule,event_type,ip_prefix\nour_proxy,Open,192.0.2.\nbarracuda,Click,203.0.113.\n",
        bounces="rule,class,diagnostic_pattern\nour_partner,policy,(?i)partner\n",
    )
    assert ["our_proxy", "barracuda"] == [rule.rule for rule in rules.machine_rules[:2]]
    assert 1 == sum(rule.rule == "barracuda" for rule in rules.machine_rules)
    assert "our_partner" == rules.bounce_rules[0].rule


def test_a_row_without_condition_switches_a_rule_of_ours_off(tmp_path: Path) -> None:
    rules = read(tmp_path, machines="rule\napple_privacy\n", bounces="rule\ngreylisting\n")
    assert "apple_privacy" not in {rule.rule for rule in rules.machine_rules}
    assert "greylisting" not in {rule.rule for rule in rules.bounce_rules}


@pytest.mark.parametrize(
    ("kind", "text", "fault"),
    [
        ("providers", "domain,provider\na.example,A\nA.example,B\n", ":3: 'a.example' stands in"),
        ("providers", "domain,owner\n", ":1: unknown column 'owner'"),
        ("providers", "domain,provider\na@b.example,A\n", ":2: domain: expected such as"),
        ("providers", "domain,provider\na.example\n", ":2: the header has 2 fields"),
        (
            "providers",
            "domain,provider,has_feedback_loop\na.example,A,true\nb.example,A,false\n",
            ":3: has_feedback_loop of 'A' differs",
        ),
        (
            "providers",
            "domain,provider,has_feedback_loop\na.example,A,often\n",
            ":2: has_feedback_loop: Input should be a valid boolean",
        ),
        ("machines", "rule,user_agent_pattern\nbroken,(unclosed\n", ":2: user_agent_pattern: "),
        ("machines", "rule,note\neveryone,all\n", ":2: rule 'everyone' has no condition"),
        ("machines", "rule,event_type\nx,Bounce\n", ":2: event_type: Input should be 'Open'"),
        ("machines", "rule,ip_prefix\nses_is_bot_event,1\n", ":2: rule: 'ses_is_bot_event' is"),
        ("machines", "rule,ip_prefix\nx,1\n\nx,1\n", ":4: this row stands in"),
        ("machines", "rule,within_secs\nx,-1\n", ":2: within_secs: "),
        ("bounces", "rule,class,status_pattern\nx,odd,5.1.1\n", ":2: class 'odd'; known: auth"),
        ("bounces", "rule,status_pattern\nx,5.1.1\n", ":2: no class; known: auth"),
        ("bounces", "rule,class,status_pattern\nx,policy,511\n", ":2: status_pattern: expected"),
        ("bounces", "rule,class,diagnostic_pattern\nx,policy,a(\n", ":2: diagnostic_pattern: "),
        (
            "bounces",
            "rule,class,status_pattern\nx,policy,5.1.1\nx,content,5.1.2\n",
            ":3: rule 'x' has another class than in",
        ),
        ("bounces", "rule,class,rule\n", ":1: column rule occurs twice"),
    ],
)
def test_a_fault_names_its_file_and_line(tmp_path: Path, kind: str, text: str, fault: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, **{kind: text})
    assert f"{tmp_path / kind}.csv{fault}" in str(caught.value)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="3 faults"):
        read(tmp_path, providers="domain\na.example\n", machines="rule\nx\n", bounces="odd\n")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"gone\.csv: cannot be read: No such file"):
        read_rules(SEEDS, RuleFiles(providers=tmp_path / "gone.csv"))


def test_a_warehouse_does_not_open_with_rules_that_cannot_be_used(tmp_path: Path) -> None:
    own = tmp_path / "own.csv"
    own.write_text("rule,ip_prefix\nours,192.0.2.\n", encoding="utf-8")
    options = WarehouseOptions(min_free_bytes=0, rule_files=RuleFiles(machine_rules=own))
    path = tmp_path / "ses.duckdb"
    open_warehouse(path, options).close()
    own.write_text("rule\nours\n", encoding="utf-8")

    with pytest.raises(SettingsError, match="nothing is changed"):
        open_warehouse(path, options)

    left_alone = WarehouseOptions(min_free_bytes=0, takes_rules=False)
    with (
        open_warehouse(path, left_alone) as opened,
        opened.read("select rule from machine_rules where precedence = 1") as reader,
    ):
        assert ["ours"] == reader.read_all()["rule"].to_pylist()
