"""The AWS side: the template by cfn-lint and by eye, and README's commands beside it."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

Tree = dict[str, Any]

SETS = ["newsletter", "two-words", "with_line"]


class Loader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML has no types
    """Reads CloudFormation's short forms as the long ones: ``!Ref x`` as ``{"Ref": "x"}``."""


def read_short_form(loader: Loader, suffix: str, node: yaml.Node) -> Tree:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    else:
        value = loader.construct_sequence(node, deep=True)
    if suffix == "GetAtt":
        value = value.split(".", 1)
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


Loader.add_multi_constructor("!", read_short_form)


def expand(template: Tree, sets: list[str]) -> Tree:
    """Do what the transform does with the loops, for these configuration sets."""
    resources: Tree = {}
    for name, resource in template["Resources"].items():
        if not name.startswith("Fn::ForEach::"):
            resources[name] = resource
            continue
        variable, collection, body = resource
        assert collection == {"Ref": "ConfigurationSets"}
        for one in sets:
            for pattern, made in body.items():
                key = pattern.replace(f"&{{{variable}}}", re.sub("[^A-Za-z0-9]", "", one))
                assert key not in resources
                text = json.dumps(made).replace(json.dumps({"Ref": variable}), json.dumps(one))
                resources[key] = json.loads(text)
    return {
        **{key: value for key, value in template.items() if key != "Transform"},
        "Resources": resources,
    }


def actions(document: Tree) -> set[str]:
    """Name all that a policy's statements allow, those under a condition included."""
    found: set[str] = set()
    for statement in document["Statement"]:
        chosen = statement.get("Fn::If", [None, statement])[1]
        assert chosen["Effect"] == "Allow"
        action = chosen["Action"]
        found |= {action} if isinstance(action, str) else set(action)
    return found


@pytest.fixture(scope="module")
def template(checkout: Path) -> Tree:
    text = (checkout / "deploy" / "cloudformation.yaml").read_text()
    tree: Tree = yaml.load(text, Loader)  # noqa: S506 - a SafeLoader
    return tree


@pytest.fixture(scope="module")
def commands(checkout: Path) -> str:
    """README's AWS CLI commands, the shell's variables named in braces."""
    text = (checkout / "README.md").read_text()
    block = next(b for b in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) if "aws sqs" in b)
    return re.sub(r"""'"\$(\w+)"'""", r"{\1}", block)


def test_cfn_lint_finds_nothing(checkout: Path) -> None:
    linted = subprocess.run(
        [Path(sys.executable).parent / "cfn-lint", checkout / "deploy" / "cloudformation.yaml"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert linted.stdout == ""
    assert linted.returncode == 0


def test_cloudformation_would_refuse_aliases_so_there_are_none(checkout: Path) -> None:
    # docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-formats.html
    text = (checkout / "deploy" / "cloudformation.yaml").read_text()
    events = yaml.parse(text)
    assert not [event for event in events if isinstance(event, yaml.AliasEvent)]


def test_every_event_type_goes_to_both_kinds_of_destination_as_in_the_readme(
    template: Tree, commands: str
) -> None:
    shown = json.loads(re.search(r"--event-destination '(\{.*?\})'", commands, re.DOTALL)[1])  # type: ignore[index]  # it is there
    in_readme = {name.replace("_", "").lower() for name in shown["MatchingEventTypes"]}
    loops = [
        resource
        for name, resource in template["Resources"].items()
        if name.startswith("Fn::ForEach::")
    ]
    assert len(loops) == 2
    for _, _, body in loops:
        (made,) = body.values()
        types = made["Properties"]["EventDestination"]["MatchingEventTypes"]
        assert in_readme == {name.lower() for name in types}
        assert len(types) == 10


def test_the_readmes_policies_allow_what_the_templates_do(template: Tree, commands: str) -> None:
    def properties(name: str) -> Tree:
        found: Tree = template["Resources"][name]["Properties"]
        return found

    queue_text = re.search(r"'\{\"Policy\":\s+(\".*\")\}'", commands)
    topic_text = re.search(
        r"--attribute-name Policy --attribute-value '(\{.*?\})'\n", commands, re.DOTALL
    )
    assert queue_text is not None
    assert topic_text is not None
    queue_policy, topic_policy = json.loads(json.loads(queue_text[1])), json.loads(topic_text[1])
    (of_queue,), (of_topic,) = queue_policy["Statement"], topic_policy["Statement"]

    in_template = properties("QueuePolicy")["PolicyDocument"]["Statement"][0]["Fn::If"][1]
    assert of_queue["Action"] == in_template["Action"]
    assert of_queue["Principal"] == in_template["Principal"]
    assert of_queue["Condition"] == {"ArnEquals": {"aws:SourceArn": "{TOPIC_ARN}"}}
    assert in_template["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Ref": "Topic"}}}

    (in_template,) = properties("TopicPolicy")["PolicyDocument"]["Statement"]
    assert of_topic["Action"] == in_template["Action"]
    assert of_topic["Principal"] == in_template["Principal"]
    account = {"Ref": "AWS::AccountId"}
    assert of_topic["Condition"] == {"StringEquals": {"AWS:SourceAccount": "{ACCOUNT}"}}
    assert in_template["Condition"] == {"StringEquals": {"AWS:SourceAccount": account}}

    redrive = re.search(r"""\"RedrivePolicy\": (\".*\")\}'""", commands)
    assert redrive is not None
    shown = json.loads(json.loads(redrive[1]))
    assert int(shown["maxReceiveCount"]) == properties("Queue")["RedrivePolicy"]["maxReceiveCount"]
    for name in ("Queue", "DeadLetterQueue"):
        retention = str(properties(name)["MessageRetentionPeriod"])
        assert commands.count(retention) == 2


def test_the_worker_may_do_what_the_readme_says_it_needs_and_no_more(
    template: Tree, checkout: Path
) -> None:
    readme = (checkout / "README.md").read_text()
    policy = template["Resources"]["WorkerPolicy"]["Properties"]["PolicyDocument"]
    named = set(re.findall(r"`(sqs:\w+|s3:Get\w+|s3:ListBucket)`", readme))
    assert actions(policy) == named


def test_no_policy_has_a_star_for_actions_or_resources(template: Tree) -> None:
    text = json.dumps(template["Resources"])
    assert '"Action": "*"' not in text
    assert '"Resource": "*"' not in text
    assert not re.search(r'"\w+:\*"', text.replace('"s3:ObjectCreated:*"', ""))


def test_a_destination_is_made_in_every_configuration_set(template: Tree) -> None:
    resources = expand(template, SETS)["Resources"]
    for kind, destination in (
        ("Topic", "SnsDestination"),
        ("Stream", "KinesisFirehoseDestination"),
    ):
        made = {
            resource["Properties"]["ConfigurationSetName"]: resource["Properties"]
            for name, resource in resources.items()
            if name.startswith(f"{kind}Destination")
        }
        assert set(SETS) == set(made)
        assert all(destination in one["EventDestination"] for one in made.values())
    assert "TopicDestinationtwowords" in resources


def test_the_commands_for_firehose_allow_what_the_template_does(
    template: Tree, checkout: Path
) -> None:
    text = (checkout / "docs" / "aws.md").read_text()
    shown = re.sub(r"""'"\$(\w+)"'""", r"{\1}", text)
    documents = [
        json.loads(found)
        for found in re.findall(r"-policy-document '(\{.*?\})'\n", shown, re.DOTALL)
    ]
    in_template = [
        document
        for name in ("StreamRole", "PublisherRole")
        for document in (
            template["Resources"][name]["Properties"]["AssumeRolePolicyDocument"],
            template["Resources"][name]["Properties"]["Policies"][0]["PolicyDocument"],
        )
    ]
    assert len(documents) == len(in_template)
    for command, made in zip(documents, in_template, strict=True):
        assert [actions({"Statement": [one]}) for one in command["Statement"]] == [
            actions({"Statement": [one]}) for one in made["Statement"]
        ]
        for ours, theirs in zip(command["Statement"], made["Statement"], strict=True):
            assert ours.get("Principal") == theirs.get("Principal")
            assert list(ours.get("Condition", {})) == list(theirs.get("Condition", {}))

    stream = template["Resources"]["Stream"]["Properties"]["ExtendedS3DestinationConfiguration"]
    configuration = re.search(
        r"--extended-s3-destination-configuration '(\{.*?\})'\n", shown, re.DOTALL
    )
    assert configuration is not None
    command = json.loads(configuration[1])
    for key in ("CompressionFormat", "BufferingHints"):
        assert command[key] == stream[key]


def test_the_queues_policy_for_both_ways_is_the_templates(template: Tree, checkout: Path) -> None:
    text = (checkout / "docs" / "aws.md").read_text()
    shown = re.sub(r"""'"\$(\w+)"'""", r"{\1}", text)
    found = re.search(r"'\{\"Policy\":\s+(\".*\")\}'", shown)
    assert found is not None
    statements = json.loads(json.loads(found[1]))["Statement"]
    made = template["Resources"]["QueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    for ours, theirs in zip(statements, (one["Fn::If"][1] for one in made), strict=True):
        assert ours["Principal"] == theirs["Principal"]
        assert ours["Action"] == theirs["Action"]
        assert list(ours["Condition"]) == list(theirs["Condition"])
