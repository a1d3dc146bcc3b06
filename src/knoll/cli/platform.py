"""`knoll up` and `knoll env`: the laptop platform, and how other tools find it."""

import shlex
from typing import TYPE_CHECKING

import typer
from rich.table import Table
from rich.text import Text

from knoll.cli.options import HomeOption, Output, OutputOption, PortOption
from knoll.cli.output import echo
from knoll.cli.session import laptop_settings_of, output_of, print_json, stdout
from knoll.installation import DEFAULT_REGION, ELSEWHERE
from knoll.paths import predict_path

if TYPE_CHECKING:
    from knoll.settings import Settings
    from knoll.wiring.laptop import Running

__all__ = ["env", "up", "variables"]


def up(
    ctx: typer.Context,
    home: HomeOption = None,  # noqa: ARG001
    port: PortOption = None,  # noqa: ARG001
    output: OutputOption = Output.table,  # noqa: ARG001
) -> None:
    """Run the platform on this machine until Ctrl-C: S3 server, broker, functions, trainings and
    predictors.

    Example: knoll up --home /tmp/knoll --port 0

    JSON, once it is ready: {home, url, s3Endpoint, pid}.
    Next, in another terminal: knoll apply -f examples/digits/model.yaml
    """
    from knoll.wiring import laptop

    settings = laptop_settings_of(ctx)

    def ready(running: "Running") -> None:
        facts = {
            "home": str(settings.home),
            "url": running.url,
            "s3Endpoint": running.s3_endpoint,
            "pid": running.pid,
        }
        if output_of(ctx) is Output.json:
            print_json(facts)
        else:
            _welcome(facts)

    laptop.run(settings, ready)
    if output_of(ctx) is Output.table:
        echo(f"knoll has stopped; everything is kept in {settings.home}")


def env(
    ctx: typer.Context,
    home: HomeOption = None,  # noqa: ARG001
    output: OutputOption = Output.table,
) -> None:
    """Print the shell lines that point S3 clients and curl at the running platform.

    Example: eval "$(knoll env)"

    Then any S3 client works: aws s3 cp, boto3, rclone. JSON: {AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID,
    AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_DEFAULT_REGION, KNOLL_URL, KNOLL_OWN_S3, KNOLL_TOKEN}.
    Next: aws s3 ls
    """
    from knoll.wiring.platform import user_platform

    found = variables(user_platform(laptop_settings_of(ctx)).settings)
    if output is Output.json:
        print_json(found)
    else:
        typer.echo(f"unset {' '.join(ELSEWHERE)}")
        for name, value in found.items():
            echo(f"export {name}={shlex.quote(value)}")


def variables(settings: "Settings") -> dict[str, str]:
    """The environment of a client of this platform."""
    from knoll.settings import variable
    from knoll.wiring.running import store_variables

    return {
        **store_variables(settings),
        DEFAULT_REGION: settings.s3_region,
        **{variable(field): str(getattr(settings, field)) for field in ("url", "own_s3", "token")},
    }


def _welcome(facts: dict[str, object]) -> None:
    table = Table.grid(padding=(0, 2))
    table.add_row("S3 endpoint", str(facts["s3Endpoint"]))
    table.add_row("Predict URL", f"{facts['url']}{predict_path('MODEL')}")
    table.add_row("Home", str(facts["home"]))
    table.add_row(
        "Next",
        "knoll apply -f examples/digits/model.yaml    (in another terminal; Ctrl-C here stops the platform)",
    )
    stdout().print(Text("knoll is up", style="bold"), table)
