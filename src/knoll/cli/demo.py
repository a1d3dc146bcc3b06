"""`knoll demo`: the whole loop on real data, as a user would go through it, with the functions behind the
same commands.

It is the first thing that a newcomer runs, and it proves an installation: each step is explained, and a bar
that is missed fails it.
"""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from knoll.cli.session import HomeOption, errors_out, laptop_settings_of
from knoll.errors import KnollError, NotFound

if TYPE_CHECKING:
    from knoll.settings import Settings

__all__ = ["demo"]


def demo(
    ctx: typer.Context,
    home: HomeOption = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the home folder, to go on with it: knoll --home DIR up.")
    ] = False,
) -> None:
    """Go through the whole loop on this machine with real data: upload, training, canary, promotion,
    prediction.

    Example: knoll demo --home /tmp/knoll-demo --keep

    It takes about two minutes, starts a platform of its own, and leaves nothing running.
    Next: knoll up, and your own data
    """
    from knoll.cli.child import platform_child
    from knoll.cli.demo_story import tell
    from knoll.settings import read_settings

    laptop_settings_of(ctx)
    started = time.monotonic()
    with _home(home, keep=keep) as folder, tempfile.TemporaryDirectory(prefix="knoll-demo-data-") as data:
        settings = read_settings(home=folder, port=0)
        with _logs_on_failure(settings):
            tell(settings, platform_child, _example(), Path(data), started)


@contextmanager
def _home(given: Path | None, *, keep: bool) -> Iterator[Path]:
    """A home of its own, removed when all went well, unless it was named or is to be kept."""
    if given is not None and (given.expanduser() / "knoll.db").exists():
        raise KnollError(
            f"{given}: this home is in use, and the demo begins with an empty one",
            fix="knoll demo --home NEW_FOLDER",
        )
    folder = given or Path(tempfile.mkdtemp(prefix="knoll-demo-"))
    yield folder
    if given is None and not keep:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        typer.echo(f"Kept {folder}: knoll --home {folder} up goes on with it.")


@contextmanager
def _logs_on_failure(settings: "Settings") -> Iterator[None]:
    try:
        yield
    except BaseException:
        errors_out().print(
            f"The demo did not end well. Logs: {settings.home / 'logs'} (up.log, jobs/, predictors/, "
            "weed.log)"
        )
        raise


def _example() -> Path:
    """The folder examples/digits of this clone, or of the working directory."""
    roots = (Path(__file__).parents[3], Path.cwd())
    for folder in (root / "examples" / "digits" for root in roots):
        if (folder / "model.yaml").exists():
            return folder
    raise NotFound("examples/digits: it is not here", fix="run knoll demo in a clone of knoll")
