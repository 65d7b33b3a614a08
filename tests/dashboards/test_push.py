"""A push into a Grafana that behaves as its HTTP API says.

https://grafana.com/docs/grafana/latest/developers/http_api/ (dashboard, folder, data_source,
dashboard_versions, alerting_provisioning)
"""

import json
import threading
from collections.abc import Callable, Iterator
from copy import deepcopy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from click.testing import CliRunner, Result

from consumer.cli import duckpost
from consumer.dashboards.definitions import Definitions
from consumer.dashboards.grafana import Grafana
from consumer.errors import SourceDenied, SourceUnavailable, UsageError

TOKEN = "glsa_canary"
Json = dict[str, Any]
Run = Callable[..., Result]


class FakeGrafana:
    """What Grafana keeps, and the rules by which it changes that."""

    def __init__(self) -> None:
        self.folders: dict[str, Json] = {}
        self.sources: dict[str, Json] = {}
        self.dashboards: dict[str, list[Json]] = {}  # every version, the newest last
        self.groups: dict[str, Json] = {}
        self.writes = 0
        self.answers: int | None = None

    def handle(  # noqa: C901, PLR0911, PLR0912 - an API, a case a request
        self, method: str, path: str, body: Json | None
    ) -> tuple[int, Any]:
        if self.answers is not None:
            return self.answers, {"message": "as told"}
        parts = [unquote(part) for part in path.strip("/").split("/")[1:]]
        if method != "GET":
            self.writes += 1
        match method, parts:
            case "GET", ["folders", uid]:
                return self._found(self.folders.get(uid))
            case "POST", ["folders"]:
                assert body is not None
                self.folders[body["uid"]] = body
                return 200, body
            case "GET", ["datasources", "uid", uid]:
                found = self.sources.get(uid)
                hidden = (
                    None if found is None else {**found, "secureJsonFields": {"password": True}}
                )
                if hidden is not None:
                    hidden.pop("secureJsonData", None)
                return self._found(hidden)
            case "POST", ["datasources"]:
                assert body is not None
                self.sources[body["uid"]] = {**body, "id": 1, "version": 1, "readOnly": False}
                return 200, {"datasource": body}
            case "PUT", ["datasources", "uid", uid]:
                assert body is not None
                version = self.sources[uid]["version"] + 1
                self.sources[uid] = {**body, "id": 1, "version": version, "readOnly": False}
                return 200, {"datasource": body}
            case "GET", ["dashboards", "uid", uid]:
                versions = self.dashboards.get(uid)
                newest = {"dashboard": versions[-1]["data"], "meta": {}} if versions else None
                return self._found(newest)
            case "GET", ["dashboards", "uid", uid, "versions"]:
                rows = [
                    {"version": one["data"]["version"], "message": one["message"]}
                    for one in reversed(self.dashboards.get(uid, []))
                ]
                return 200, {"continueToken": "", "versions": rows[:1]}
            case "POST", ["dashboards", "db"]:
                assert body is not None
                return self._save(body)
            case "GET", ["v1", "provisioning", "folder", folder, "rule-groups", title]:
                return self._found(self.groups.get(f"{folder}/{title}"))
            case "PUT", ["v1", "provisioning", "folder", folder, "rule-groups", title]:
                assert body is not None
                assert folder in self.folders, "Grafana refuses rules of a folder it has not"
                stored = deepcopy(body)
                for number, rule in enumerate(stored["rules"]):
                    rule |= {"id": number, "provenance": "api", "updated": "2026-11-22T00:00:00Z"}
                    rule["data"][0]["model"] |= {"intervalMs": 1000, "maxDataPoints": 43200}
                self.groups[f"{folder}/{title}"] = stored
                return 200, stored
        return 404, {"message": f"Not found: {method} {path}"}

    def save_as_person(self, uid: str, title: str) -> None:
        data = {**self.dashboards[uid][-1]["data"], "title": title}
        data["version"] += 1
        self.dashboards[uid].append({"data": data, "message": "nicer"})

    def _save(self, body: Json) -> tuple[int, Any]:
        board = body["dashboard"]
        versions = self.dashboards.setdefault(board["uid"], [])
        newest = versions[-1]["data"]["version"] if versions else 0
        if not body["overwrite"] and board["version"] != newest:
            return 412, {"status": "version-mismatch", "message": "changed by someone else"}
        data = {**board, "id": 7, "version": newest + 1}
        versions.append({"data": data, "message": body["message"]})
        return 200, {"status": "success", "uid": board["uid"], "version": newest + 1}

    @staticmethod
    def _found(value: Any) -> tuple[int, Any]:  # noqa: ANN401 - JSON is any
        return (404, {"message": "not found"}) if value is None else (200, value)


@pytest.fixture
def fake() -> FakeGrafana:
    return FakeGrafana()


@pytest.fixture
def url(fake: FakeGrafana) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            if self.headers["Authorization"] != f"Bearer {TOKEN}":
                status, value = 401, {"message": "Invalid API key"}
            else:
                status, value = fake.handle(self.command, urlsplit(self.path).path, body)
            data = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = _answer  # noqa: N815 - the names it looks for

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def run(url: str, definitions: Definitions, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr("consumer.cli.dashboards.load_definitions", lambda: definitions)
    environ = {
        "DUCKPOST_GRAFANA_URL": url,
        "DUCKPOST_GRAFANA_TOKEN": TOKEN,
        "DUCKPOST_GRAFANA_SQL_PASSWORD": "canary-password",
    }

    def push(*arguments: str, **settings: str) -> Result:
        return CliRunner().invoke(
            duckpost, ["dashboards", "push", *arguments], env={**environ, **settings}
        )

    return push


def fates(result: Result) -> set[str]:
    return {one["fate"] for one in json.loads(result.output)}


def test_a_first_push_makes_everything_and_a_second_changes_nothing(
    fake: FakeGrafana, run: Run
) -> None:
    first = run("--json")
    writes = fake.writes
    second = run("--json")

    assert (0, {"new"}) == (first.exit_code, fates(first))
    assert (0, {"same"}) == (second.exit_code, fates(second))
    assert writes == fake.writes
    assert 10 == len(fake.dashboards)
    assert {"duckpost/duckpost mail", "duckpost/duckpost pipeline"} == set(fake.groups)
    assert "canary-password" == fake.sources["duckpost"]["secureJsonData"]["password"]


def test_a_dry_run_shows_what_a_push_would_do_and_writes_nothing(
    fake: FakeGrafana, run: Run
) -> None:
    result = run("--dry-run")

    assert 0 == result.exit_code
    assert result.output.count("would make") == 14
    assert 0 == fake.writes


def test_a_dry_run_shows_the_lines_that_differ(fake: FakeGrafana, run: Run) -> None:
    run()
    writes = fake.writes
    result = run("--dry-run", DUCKPOST_GRAFANA_SQL_ADDRESS="db.example.com:5433")

    assert '+ "url": "db.example.com:5433"' in result.output
    assert '- "url": "127.0.0.1:5433"' in result.output
    assert writes == fake.writes


def test_what_a_person_changed_is_kept_unless_forced(fake: FakeGrafana, run: Run) -> None:
    run()
    fake.save_as_person("duckpost-overview", "Our overview")

    kept = run()
    assert 1 == kept.exit_code
    assert "a person changed it" in kept.output
    assert "Our overview" == fake.dashboards["duckpost-overview"][-1]["data"]["title"]

    forced = run("--force")
    assert 0 == forced.exit_code
    assert "SES 01 · Overview" == fake.dashboards["duckpost-overview"][-1]["data"]["title"]
    assert {"same"} == fates(run("--json"))


def test_an_older_push_is_replaced(fake: FakeGrafana, run: Run) -> None:
    run()
    newest = fake.dashboards["duckpost-overview"][-1]
    newest["data"]["title"], newest["message"] = "SES 1", "duckpost of another version"

    result = run("--json")

    changed = [one["name"] for one in json.loads(result.output) if one["fate"] == "changed"]
    assert ["dashboard SES 01 · Overview"] == changed


def test_a_new_address_reaches_the_data_source_and_a_person_s_own_is_kept(
    fake: FakeGrafana, run: Run
) -> None:
    run()
    assert 0 == run(DUCKPOST_GRAFANA_SQL_ADDRESS="db.example.com:5433").exit_code
    assert "db.example.com:5433" == fake.sources["duckpost"]["url"]

    fake.sources["duckpost"]["url"] = "by-hand.example.com:5433"
    assert 1 == run(DUCKPOST_GRAFANA_SQL_ADDRESS="db.example.com:5433").exit_code
    assert "by-hand.example.com:5433" == fake.sources["duckpost"]["url"]


def test_rules_that_did_not_come_by_a_push_are_kept(fake: FakeGrafana, run: Run) -> None:
    run()
    group = fake.groups["duckpost/duckpost mail"]
    group["rules"][0] |= {"title": "Mine", "provenance": ""}

    assert 1 == run().exit_code
    assert "Mine" == fake.groups["duckpost/duckpost mail"]["rules"][0]["title"]


def test_neither_token_nor_password_is_ever_shown(run: Run) -> None:
    shown = run("--dry-run").output + run().output
    assert TOKEN not in shown
    assert "canary-password" not in shown


def test_a_wrong_token_is_denied_by_name(url: str) -> None:
    with pytest.raises(SourceDenied, match="refuses the token"):
        Grafana(url, "wrong").get("/folders/duckpost")


@pytest.mark.parametrize(
    ("status", "fault"), [(400, UsageError), (412, UsageError), (403, SourceDenied)]
)
def test_what_grafana_refuses_is_a_fault_of_its_own(
    fake: FakeGrafana, url: str, status: int, fault: type[Exception]
) -> None:
    fake.answers = status
    with pytest.raises(fault, match=str(status)):
        Grafana(url, TOKEN).post("/folders", {})


def test_a_grafana_that_is_not_there_is_said_to_be_so() -> None:
    with pytest.raises(SourceUnavailable, match=r"is grafana\.url right"):
        Grafana("http://127.0.0.1:9", TOKEN).post("/folders", {})


def test_without_an_address_the_settings_are_named() -> None:
    result = CliRunner().invoke(duckpost, ["dashboards", "push"], env={"DUCKPOST_GRAFANA_URL": ""})
    assert result.exit_code != 0
