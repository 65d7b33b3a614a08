"""docker-compose.yml and Dockerfile, as far as they can be judged without an engine.

The whole of docker-compose.yml also passes the compose specification's own JSON schema
(https://github.com/compose-spec/compose-spec/blob/main/schema/compose-spec.json).
"""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from consumer.demo.publish import main as publish
from consumer.demo.publish_kafka import main as publish_kafka
from consumer.settings import Settings, load_settings
from consumer.worker import DRAIN_SECS

Tree = dict[str, Any]

PINNED = re.compile(r"[a-z0-9./-]+:\d+\.\d+\.\d+[a-z0-9.-]*")


@pytest.fixture(scope="module")
def compose(checkout: Path) -> Tree:
    tree: Tree = yaml.safe_load((checkout / "docker-compose.yml").read_text())
    return tree


@pytest.fixture(scope="module")
def dockerfile(checkout: Path) -> list[tuple[str, str]]:
    """Instructions and what they are given, lines joined, comments left out."""
    text = (checkout / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in lines]


def stages(dockerfile: list[tuple[str, str]]) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for instruction, rest in dockerfile:
        if instruction == "FROM":
            name = rest.split(" AS ")[1]
            found[name] = []
        found[name].append((instruction, rest))
    return found


def values(stage: list[tuple[str, str]], instruction: str) -> list[str]:
    return [rest for found, rest in stage if found == instruction]


def test_every_image_is_pinned_by_version(compose: Tree, dockerfile: list[tuple[str, str]]) -> None:
    own = set(stages(dockerfile))
    bases = {rest.split(" AS ")[0] for rest in values(dockerfile, "FROM")} - own
    images = {service["image"] for service in compose["services"].values()}
    for image in bases | images:
        assert PINNED.fullmatch(image), image


def test_our_own_images_carry_duckposts_version(compose: Tree, checkout: Path) -> None:
    version = tomllib.loads((checkout / "pyproject.toml").read_text())["project"]["version"]
    for name, service in compose["services"].items():
        if "build" in service:
            assert service["image"].endswith(f":{version}"), name


def test_a_service_is_built_from_a_stage_that_there_is(
    compose: Tree, dockerfile: list[tuple[str, str]]
) -> None:
    for name, service in compose["services"].items():
        if "build" in service:
            assert service["build"]["target"] in stages(dockerfile), name


def test_services_wait_for_others_by_conditions_those_can_meet(
    compose: Tree, dockerfile: list[tuple[str, str]]
) -> None:
    services = compose["services"]
    for name, service in services.items():
        for awaited, how in service.get("depends_on", {}).items():
            assert awaited in services, name
            # what is not started can't be waited for
            assert set(services[awaited].get("profiles", [])) <= set(service.get("profiles", []))
            if how["condition"] == "service_healthy":
                checked = "healthcheck" in services[awaited] or values(
                    stages(dockerfile)[services[awaited]["build"]["target"]], "HEALTHCHECK"
                )
                assert checked, f"{awaited} has no health check to wait for"


def test_the_plain_command_starts_a_worker_its_queue_and_something_that_fills_it(
    compose: Tree,
) -> None:
    plain = {name for name, service in compose["services"].items() if "profiles" not in service}
    assert {"worker", "grafana", "emulator", "account", "feeder"} == plain


def test_grafana_reads_the_dashboards_and_asks_the_worker_as_one_of_its_users(
    compose: Tree, checkout: Path
) -> None:
    grafana = compose["services"]["grafana"]
    environ = grafana["environment"]
    mounts = dict(volume.split(":")[:2] for volume in grafana["volumes"])
    provider = yaml.safe_load(
        (checkout / "dashboards/provisioning/dashboards/duckpost.yaml").read_text()
    )["providers"][0]
    endpoint = load_settings(checkout / "deploy/compose/duckpost.toml", environ={}).endpoint
    source = (checkout / "dashboards/provisioning/datasources/duckpost.yaml").read_text()

    assert "/etc/grafana/provisioning" == mounts["./dashboards/provisioning"]
    assert provider["options"]["path"] == mounts["./dashboards/json"]
    home = environ["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"].removeprefix(
        mounts["./dashboards/json"]
    )
    assert (checkout / "dashboards/json" / home.strip("/")).is_file()
    assert set(re.findall(r"\$(DUCKPOST_\w+)", source)) <= set(environ)
    assert [(environ["DUCKPOST_SQL_USER"], environ["DUCKPOST_SQL_PASSWORD"])] == [
        (user.name, user.password.get_secret_value()) for user in endpoint.users
    ]
    assert f"worker:{endpoint.port}" == environ["DUCKPOST_SQL_ADDRESS"]


def test_ports_are_open_to_this_machine_alone(compose: Tree) -> None:
    for service in compose["services"].values():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:")


def test_our_containers_run_without_root_or_capabilities_on_a_read_only_system(
    compose: Tree, dockerfile: list[tuple[str, str]]
) -> None:
    for name, service in compose["services"].items():
        if "build" in service:
            assert service["read_only"] is True, name
            assert service["cap_drop"] == ["ALL"], name
            users = values(stages(dockerfile)[service["build"]["target"]], "USER")
            assert int(users[-1]) > 0, name


def test_the_workers_folder_is_its_users_alone_and_outlives_the_container(
    compose: Tree, dockerfile: list[tuple[str, str]]
) -> None:
    worker = stages(dockerfile)["worker"]
    (folder,) = values(worker, "VOLUME")
    made = next(rest for rest in values(worker, "RUN") if folder in rest)
    assert f"--mode 0700 --owner duckpost --group duckpost {folder}" in made
    assert f"DUCKPOST_WAREHOUSE={folder}/" in " ".join(values(worker, "ENV"))
    assert f"warehouse:{folder}" in compose["services"]["worker"]["volumes"]
    assert "warehouse" in compose["volumes"]


def test_the_worker_is_given_the_time_it_takes_to_drain(compose: Tree) -> None:
    grace = compose["services"]["worker"]["stop_grace_period"]
    assert int(grace.removesuffix("s")) > DRAIN_SECS


def test_health_is_asked_where_the_worker_listens(dockerfile: list[tuple[str, str]]) -> None:
    worker = stages(dockerfile)["worker"]
    (check,) = values(worker, "HEALTHCHECK")
    port = Settings().telemetry.port
    assert f"http://127.0.0.1:{port}/health" in check
    assert values(worker, "EXPOSE") == [str(port)]
    # urllib would ask a proxy of the engine's for 127.0.0.1
    assert "ProxyHandler({})" in check


def test_the_wheels_parts_are_what_goes_into_the_build(
    checkout: Path, dockerfile: list[tuple[str, str]]
) -> None:
    copied = {
        source.strip("./")
        for rest in values(stages(dockerfile)["build"], "COPY")
        for source in rest.split()[:-1]
    }
    let_in = {
        line[1:]
        for line in (checkout / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    assert copied == let_in
    for name in copied:
        assert (checkout / name).exists(), name
    hatch = tomllib.loads((checkout / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    wheel = hatch["targets"]["wheel"]
    assert {*wheel["packages"], *wheel["force-include"]} <= copied


def test_the_worker_starts_in_the_folder_that_its_settings_are_mounted_in(
    compose: Tree, dockerfile: list[tuple[str, str]], checkout: Path
) -> None:
    (folder,) = values(stages(dockerfile)["worker"], "WORKDIR")
    mounts = [
        volume.split(":") for volume in compose["services"]["worker"]["volumes"] if "toml" in volume
    ]
    ((local, inside, mode),) = mounts
    assert f"{folder}/duckpost.toml" == inside
    assert mode == "ro"
    (source,) = load_settings(checkout / local, environ={}).sources
    assert source.type == "sqs"
    assert source.endpoint_url == "http://emulator:5000"
    assert source.queue in " ".join(compose["services"]["feeder"]["entrypoint"])
    assert source.buckets == ["ses-events"]


@pytest.mark.parametrize("name", ["account", "feeder"])
def test_the_feeders_command_line_is_one_that_it_takes(compose: Tree, name: str) -> None:
    service = compose["services"][name]
    assert service["entrypoint"][:3] == ["python", "-m", "consumer.demo.publish"]
    arguments = [*service["entrypoint"][3:], *service["command"]]
    parsed = publish.make_context("publish", arguments).params
    assert parsed["endpoint_url"] == "http://emulator:5000"
    assert parsed["bucket"] == "ses-events"


def test_the_kafka_chain_agrees_on_broker_and_topic(compose: Tree, checkout: Path) -> None:
    services = compose["services"]
    chain = {name for name, service in services.items() if "profiles" in service}
    assert {"kafka", "kafka-topic", "kafka-worker", "kafka-feeder"} == chain
    (source,) = load_settings(checkout / "deploy/compose/kafka.toml", environ={}).sources
    assert source.type == "kafka"
    (server,) = source.bootstrap_servers
    assert services["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"] == f"PLAINTEXT://{server}"
    feeder = services["kafka-feeder"]
    arguments = [*feeder["entrypoint"][3:], *feeder["command"]]
    parsed = publish_kafka.make_context("publish", arguments).params
    assert [parsed["topic"]] == source.topics
    assert parsed["bootstrap_servers"] == server
    assert f"--topic={parsed['topic']}" in services["kafka-topic"]["entrypoint"]
