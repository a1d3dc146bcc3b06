"""`knoll demo`: the whole loop on real data, with the functions behind the commands that a user would type.

Newcomers run it first. It explains each step, and it proves an installation: it fails if the model is not
good enough. Each family has an example.
"""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from knoll.cli.completion import complete_families
from knoll.cli.interrupts import leaving
from knoll.cli.options import HomeOption
from knoll.cli.output import echo
from knoll.cli.session import errors_out, laptop_settings_of
from knoll.errors import KnollError, NotFound

if TYPE_CHECKING:
    from knoll.settings import Settings

__all__ = ["demo", "find_example"]


_DIGITS = "image-classifier"
_FamilyArgument = Annotated[
    str,
    typer.Argument(help="Show this one; by default it shows digits.", autocompletion=complete_families),
]


def demo(
    ctx: typer.Context,
    family: _FamilyArgument = _DIGITS,
    home: HomeOption = None,
    keep: Annotated[
        bool,
        typer.Option("--keep", help="Keep the home folder, so that knoll --home DIR up goes on with it."),
    ] = False,
) -> None:
    """Show the whole loop on this machine with real data: upload, training, canary, promotion, prediction.

    Example: knoll demo; knoll demo text-classifier; knoll demo --home /tmp/knoll-demo --keep

    It takes about two minutes, or up to ten with another family, which trains twice. It starts a platform of
    its own, and leaves nothing running.
    Next: knoll up, and your own data
    """
    from knoll.cli.child import platform_child
    from knoll.cli.demo_story import tell
    from knoll.cli.demo_tour import tour
    from knoll.families import FAMILIES
    from knoll.settings import read_settings

    laptop_settings_of(ctx)
    place = find_example(family)
    started = time.monotonic()
    with _home(home, keep=keep) as folder, tempfile.TemporaryDirectory(prefix="knoll-demo-data-") as data:
        settings = read_settings(home=folder, port=0)
        left = (
            f"The demo and its platform have stopped. Their files are in {folder}; delete them if you like."
        )
        with leaving(left), _logs_on_failure(settings):
            if family == _DIGITS:
                tell(settings, platform_child, place, Path(data), started)
            else:
                tour(settings, platform_child, place, Path(data), started, FAMILIES[family].shown_as)


@contextmanager
def _home(given: Path | None, *, keep: bool) -> Iterator[Path]:
    """A home for the demo. A new one is removed at the end, unless `keep` is set or the demo fails."""
    if given is not None and (given.expanduser() / "knoll.db").exists():
        raise KnollError(
            f"{given}: this home is in use, but the demo needs an empty one",
            fix="knoll demo --home NEW_FOLDER",
        )
    folder = given or Path(tempfile.mkdtemp(prefix="knoll-demo-"))
    yield folder
    if given is None and not keep:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        echo(f"Kept {folder}: knoll --home {folder} up goes on with it.")


@contextmanager
def _logs_on_failure(settings: "Settings") -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException:
        errors_out().print(
            f"The demo did not end well. Logs: {settings.home / 'logs'} (up.log, jobs/, predictors/, "
            "weed.log)"
        )
        raise


def find_example(family: str) -> Path:
    """The folder of the family's example in this clone, or below the working directory. Raises InvalidModel
    if there is no such family, and NotFound if there is no such folder."""
    from knoll.families import FAMILIES, check_family

    check_family(family)
    place = Path("examples", FAMILIES[family].example)
    for folder in (root / place for root in (Path(__file__).parents[3], Path.cwd())):
        if (folder / "model.yaml").exists():
            return folder
    raise NotFound(f"{place}: there is no such folder here", fix="run knoll demo in a clone of knoll")
