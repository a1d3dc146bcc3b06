"""The core schema of YAML 1.2: what a plain scalar is, and what may stand behind a tag.

PyYAML alone follows YAML 1.1, and believes a tag that is written: `!!bool maybe` would be false. See
YAML 1.2.2, 10.3.2, for the core schema.
"""

import re
from typing import Any

import yaml

from knoll.quoting import escaped, shown

__all__ = ["DEEPEST", "TOO_DEEP", "CoreLoader", "RefusedError", "fault_of_node", "kind_of"]

DEEPEST = 50
TOO_DEEP = f"nested deeper than {DEEPEST}"
_MOST_TOKENS = 50_000  # a Model has about 150
_MOST_SHOWN = 40
_MOST_WHITE = 1_000  # spaces and tabs in a row
_AT_AN_END = ("#", "\n", "\r", "\0")
_PREFIX = "tag:yaml.org,2002:"
_SURROGATE = re.compile("[\ud800-\udfff]")
_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_SCALARS = {
    "null": re.compile(r"~|null|Null|NULL|"),
    "bool": re.compile(r"true|True|TRUE|false|False|FALSE"),
    "int": re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"),
    "float": re.compile(
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
    ),
    "merge": re.compile(r"<<"),
}
_NODES: dict[str, type[yaml.Node]] = {
    **dict.fromkeys((*_SCALARS, "str"), yaml.ScalarNode),
    "seq": yaml.SequenceNode,
    "map": yaml.MappingNode,
}


class RefusedError(Exception):
    """A text that is read no further: the place as LINE or LINE:COLUMN, and why."""

    def __init__(self, place: str, why: str) -> None:
        super().__init__(why)
        self.place = place


class CoreLoader(yaml.SafeLoader):
    """Resolves plain scalars by the core schema, and stops at the first collection that lies too deep, and at
    the first token too many.

    For each token PyYAML looks at all collections that are open: 20 kB of brackets would take it seconds. It
    reads 20,000 tokens a second.
    """

    yaml_implicit_resolvers = {}  # noqa: RUF012 - PyYAML copies it when a resolver is added

    def compose_scalar_node(self, anchor: Any) -> yaml.ScalarNode:
        """A scalar behind a lone `!` is text, whatever it looks like. Escapes for both halves of a surrogate
        pair are one character, as in JSON."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if event.tag == "!":
            event.tag = f"{_PREFIX}str"
        event.value = _PAIR.sub(_character, event.value)
        return super().compose_scalar_node(anchor)

    def scan_to_next_token(self) -> None:
        """Pass over tabs before a comment or the end of a line, too, as YAML 1.2 does."""
        super().scan_to_next_token()
        while self.peek() == "\t" and self.prefix(_MOST_WHITE).lstrip(" \t")[:1] in _AT_AN_END:
            while self.peek() in (" ", "\t"):
                self.forward()
            super().scan_to_next_token()

    def fetch_more_tokens(self) -> None:
        """Count the tokens. PyYAML passes on what Python says to `\\U00110000`, and to a %YAML of 5,000
        digits."""
        if self.tokens_taken > _MOST_TOKENS:
            told = f"more than {_MOST_TOKENS:,} keys, values and signs; apply it in several files"
            raise RefusedError(self._here(), told)
        try:
            super().fetch_more_tokens()
        except (ValueError, OverflowError) as error:
            told = r"a number is out of range, in an escape such as \U00110000 or behind %YAML; correct it"
            raise RefusedError(self._here(), f"not YAML: {told}") from error

    def fetch_flow_collection_start(self, token_class: Any) -> None:
        super().fetch_flow_collection_start(token_class)
        self._check_depth()

    def add_indent(self, column: int) -> bool:
        is_deeper = bool(super().add_indent(column))
        self._check_depth()
        return is_deeper

    def _check_depth(self) -> None:
        if len(self.indents) + self.flow_level > DEEPEST + 1:  # the outermost one has depth 0
            raise RefusedError(f"{self.line + 1}", TOO_DEEP)

    def _here(self) -> str:
        return f"{self.line + 1}:{self.column + 1}"


for _name, _pattern in _SCALARS.items():
    CoreLoader.add_implicit_resolver(f"{_PREFIX}{_name}", re.compile(rf"(?:{_pattern.pattern})\Z"), None)


def _character(pair: re.Match[str]) -> str:
    return pair[0].encode("utf-16", "surrogatepass").decode("utf-16")


def kind_of(node: yaml.Node) -> str:
    """The tag of a node without its prefix: str, int, map, ..."""
    return str(node.tag).removeprefix(_PREFIX)


def fault_of_node(node: yaml.Node) -> str:
    """What is wrong with a node itself, whatever lies in it; "" if nothing is."""
    kind = kind_of(node)
    if kind not in _NODES:
        return f"the tag {escaped(kind)} is not known here; remove it"
    if not isinstance(node, _NODES[kind]):
        return f"the tag !!{kind} stands before something else; remove it"
    if not isinstance(node, yaml.ScalarNode):
        return ""
    text = str(node.value)
    if half := _SURROGATE.search(text):
        told = f"\\u{ord(half[0]):04x} is half of a surrogate pair, and the other half is missing"
        return f"{told}; write both, or remove it"
    if node.style is None and text and (text[0].isspace() or not text[0].isprintable()):
        return f"the character U+{ord(text[0]):04X} stands before {shown(text[1:])}; put spaces in its place"
    if kind in _SCALARS and not _SCALARS[kind].fullmatch(text):
        return f"the tag !!{kind} stands before {shown(text[:_MOST_SHOWN])}; remove it"
    return ""
