"""The command line: it takes what the user types, and it is the only layer that prints.

Commands use the ports, so they mean the same on a laptop and on a cluster. A command imports heavy modules
inside its function, because `knoll --help` and shell completion must answer at once. `app.py` says how to add
a verb.
"""

import os

from knoll.exits import INTERRUPTED

try:
    from collections.abc import Callable

    from knoll.cli.start import start
except KeyboardInterrupt:  # `start` says the same as soon as it is there
    os.write(2, b"Interrupted.\n")
    os._exit(INTERRUPTED)

__all__ = ["main", "plugin_main"]


def main() -> None:
    """Entry point of `knoll`."""
    start(_knoll)


def plugin_main() -> None:
    """Entry point of `kn-model`."""
    start(_plugin)


def _knoll() -> Callable[[], None]:
    from knoll.cli.app import main

    return main


def _plugin() -> Callable[[], None]:
    from knoll.cli.plugin import main

    return main
