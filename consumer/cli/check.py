"""`duckpost check`: the configuration and every connection, consuming nothing."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import click
from rich.console import Console

from consumer.checks.coverage import find_gaps
from consumer.checks.own_views import find_broken_views
from consumer.checks.wiring import follow_mail, send_mail
from consumer.cli.endpoints import bind_http, open_tls
from consumer.cli.options import as_json, configured, tell_recovery
from consumer.cli.sources import describe, probe
from consumer.door.access import Access, open_access
from consumer.door.client import DoorClient
from consumer.endpoint import opening
from consumer.errors import EXIT_DENIED, EXIT_DONE, EXIT_FAILED, DuckpostError, UsageError
from consumer.health import bind
from consumer.settings import (
    EndpointSettings,
    FirehoseSettings,
    HttpSettings,
    Settings,
    SnsSettings,
    load_settings,
)
from consumer.sources.aws import AwsAccess
from consumer.warehouse.place import Place


@dataclass(slots=True)
class Finding:
    """What was looked at, what it said, and the exit code it asks for."""

    what: str
    lines: list[str] = field(default_factory=list)
    exit_code: int = EXIT_DONE


@click.command()
@click.option(
    "--send-test",
    is_flag=True,
    help="Send a mail to SES's mailbox simulator, and wait for its events to become rows.",
)
@click.option("--from", "sender", help="Its sender: an address that SES may send from.")
@click.option("--configuration-set", help="The configuration set to send through.")
@click.option("--region", help="Where to send; else AWS_REGION, or the profile's.")
@click.option("--profile", help="Of the shared AWS configuration; else AWS_PROFILE.")
@click.option("--timeout-secs", default=120.0, show_default=True, help="How long to wait.")
@as_json
@configured
def check(  # noqa: PLR0913, PLR0917 - a parameter an option, as click has it
    send_test: bool,
    sender: str | None,
    configuration_set: str | None,
    region: str | None,
    profile: str | None,
    timeout_secs: float,
    is_json: bool,
    config: Path | None,
    warehouse: Path | None,
) -> None:
    """Check the configuration and try every connection; no message is consumed.

    Where there is a warehouse, also say which event types SES does not publish, and what to switch
    on for the figures that lack them.

    All problems are listed at once. Exits with 3 when a transport refuses us, else with the
    code of the first problem.
    """
    if send_test and not (sender and configuration_set):
        raise UsageError("--send-test needs --from ADDRESS and --configuration-set NAME")
    settings = load_settings(config, warehouse=warehouse)
    warehouse_finding, is_running = _check_warehouse(settings)
    findings = [warehouse_finding, *_check_sources(settings)]
    if any(isinstance(one, FirehoseSettings | SnsSettings) for one in settings.sources):
        findings.append(_check_http(settings.http, is_running=is_running))
    if settings.endpoint.is_open:
        findings.append(_check_endpoint(settings.endpoint, is_running=is_running))
    if sender and configuration_set and send_test:
        aws = AwsAccess(region=region, profile=profile)
        findings.append(_send_test(settings, aws, sender, configuration_set, timeout_secs))
    if is_json:
        click.echo(json.dumps([asdict(one) for one in findings]))
    else:
        console = Console(highlight=False, soft_wrap=True)
        for one in findings:
            mark, style = ("ok  ", "green") if one.exit_code == EXIT_DONE else ("BAD ", "red")
            console.print(mark, style=style, end="")
            console.print(one.what, markup=False)
            for line in one.lines:
                console.print(f"    {line}", markup=False)
    codes = [one.exit_code for one in findings if one.exit_code != EXIT_DONE]
    if codes:
        raise click.exceptions.Exit(EXIT_DENIED if EXIT_DENIED in codes else codes[0])


def _check_warehouse(settings: Settings) -> tuple[Finding, bool]:
    """Look at the warehouse; also say whether a worker has it open, and then its ports too."""
    path = settings.warehouse.path
    finding = Finding(f"warehouse {path}")
    try:
        if not path.exists():
            Place(path.absolute()).check_folder()
            finding.lines.append("not there yet; the first run or ingest makes it")
        else:
            access = open_access(settings.warehouse, on_recovery=tell_recovery)
            if isinstance(access, DoorClient):
                finding.lines.append(f"open in the worker with PID {access.pid}, which answers")
            _tell_gaps(access, finding)
            _tell_broken_views(access, finding)
            access.close()
            if isinstance(access, DoorClient):
                return finding, True
        if settings.telemetry.enabled:
            bind(settings.telemetry).close()
    except DuckpostError as error:
        finding.lines.append(str(error))
        finding.exit_code = error.exit_code
    return finding, False


def _tell_gaps(access: Access, finding: Finding) -> None:
    """What SES does not publish is no fault of the configuration: it is said and costs no code."""
    for gap in find_gaps(access):
        finding.lines += gap.describe()


def _tell_broken_views(access: Access, finding: Finding) -> None:
    for name, why in find_broken_views(access).items():
        finding.lines.append(f"your own view my.{name} does not work any more: {why}")
        finding.exit_code = EXIT_FAILED


def _send_test(
    settings: Settings, aws: AwsAccess, sender: str, configuration_set: str, timeout_secs: float
) -> Finding:
    finding = Finding(f"test mail through {configuration_set}")
    try:
        access = open_access(settings.warehouse, on_recovery=tell_recovery)
        try:
            if not isinstance(access, DoorClient):
                raise UsageError(
                    "not sent: no worker runs that could take its events in. Start `duckpost run`"
                )
            message_id = send_mail(aws, sender=sender, configuration_set=configuration_set)
            wiring = follow_mail(access, message_id, timeout_secs=timeout_secs)
        finally:
            access.close()
    except DuckpostError as error:
        finding.lines.append(str(error))
        finding.exit_code = error.exit_code
        return finding
    finding.lines += wiring.lines
    finding.exit_code = EXIT_DONE if wiring.is_whole else EXIT_FAILED
    return finding


def _check_http(settings: HttpSettings, *, is_running: bool) -> Finding:
    finding = Finding(f"http listener {settings.host}:{settings.port}")
    try:
        if open_tls(settings) is None:
            finding.lines.append("speaks HTTP: senders need HTTPS, so put a proxy in front")
        if is_running:
            finding.lines.append("the port is left alone: the worker has it")
        else:
            bind_http(settings).close()
    except DuckpostError as error:
        finding.lines.append(str(error))
        finding.exit_code = error.exit_code
    return finding


def _check_endpoint(settings: EndpointSettings, *, is_running: bool) -> Finding:
    finding = Finding(f"SQL endpoint {settings.host}:{settings.port}")
    sees = {"reader": "tokens and domains in place of addresses", "support": "addresses"}
    finding.lines += [f"{user.name} sees {sees[user.role]}" for user in settings.users]
    try:
        if opening.open_tls(settings) is None:
            finding.lines.append("speaks without TLS: what is read crosses in the clear")
        if is_running:
            finding.lines.append("the port is left alone: the worker has it")
        else:
            opening.bind(settings).close()
    except DuckpostError as error:
        finding.lines.append(str(error))
        finding.exit_code = error.exit_code
    return finding


def _check_sources(settings: Settings) -> list[Finding]:
    findings = []
    for source in settings.sources:
        finding = Finding(describe(source))
        try:
            finding.lines += probe(source)
        except DuckpostError as error:
            finding.lines.append(str(error))
            finding.exit_code = error.exit_code
        findings.append(finding)
    if not findings:
        findings.append(Finding("sources", ["none is configured: `run` would have nothing to do"]))
    return findings
