"""A group of commands one of which needs no name: `knoll runs digits` lists, `knoll runs logs RUN` is a
command of its own."""

from typing import Any

from typer.core import TyperGroup

__all__ = ["NAMELESS", "NamelessDefault"]

NAMELESS = "list"


class NamelessDefault(TyperGroup):
    """A group that takes everything but its commands' names as arguments of the command NAMELESS."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the default command's name in front, unless a command is named."""
        named = bool(args) and args[0] in self.commands
        return super().parse_args(ctx, args if named else [NAMELESS, *args])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Leave the default command's name out of usage lines."""
        name, command, rest = super().resolve_command(ctx, args)
        return "" if name == NAMELESS else name, command, rest
