"""A group with a default command: `knoll runs digits` lists, while `knoll runs logs RUN` names a command."""

from typing import Any

from typer.core import TyperGroup

__all__ = ["NAMELESS", "NamelessDefault"]

NAMELESS = "list"


class NamelessDefault(TyperGroup):
    """A group whose default command is NAMELESS: it gets all words that begin with no command's name."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the name of the default command first, unless a command is named."""
        named = bool(args) and args[0] in self.commands
        return super().parse_args(ctx, args if named else [NAMELESS, *args])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Leave the name of the default command out of usage lines."""
        name, command, rest = super().resolve_command(ctx, args)
        return "" if name == NAMELESS else name, command, rest
