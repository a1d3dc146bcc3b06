"""The command line: what the user types, and the only layer that prints.

Commands read and write through the ports, so that they mean the same on the laptop and on a cluster.
Everything heavy is imported inside the command that needs it: `knoll --help` and shell completion must answer
at once.
"""

from knoll.cli.app import app, main

__all__ = ["app", "main"]
