"""The command line: it takes what the user types, and it is the only layer that prints.

Commands use the ports, so they mean the same on a laptop and on a cluster. A command imports heavy modules
inside its function, because `knoll --help` and shell completion must answer at once. `app.py` says how to add
a verb.
"""

from knoll.cli.app import app, main

__all__ = ["app", "main"]
