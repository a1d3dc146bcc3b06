"""The table from what PyYAML met to what is wrong and what to do, in our words. The first row that applies
counts; the last one always does.

PyYAML says what its scanner or parser was about when it stopped (the context), and what it met (the problem),
each with a place.
"""

from dataclasses import dataclass

__all__ = ["ROWS", "Row"]

_QUOTE_IT = "put a text that begins so in quotes"
_NO_SPACE = r"^\s*(?:- +)*[^\s:#\"'{\[]+:[^\s/]"


@dataclass(frozen=True)
class Row:
    """A sentence, and when it is said: if each pattern is found in what it is named after. `at` is the rest
    of the line from the place on, `upto` what stands before it, `line` all of it, and `before` the last line
    before that has something. The place is that of the problem, or of the context.

    In `words`, {char} is what stands there, {line} and {column} are the other place, and {above} is the
    number of the line before.
    """

    words: str
    context: str = ""
    problem: str = ""
    at: str = ""
    upto: str = ""
    line: str = ""
    before: str = ""
    is_at_context: bool = False


ROWS = (
    Row("a tab stands where only spaces may; put spaces in its place", at=r"^\t"),
    Row(
        "a mark of a merge conflict; keep one of the two sides, and take all such lines out",
        line=r"^(<{7}|={7}|>{7})( |$)",
        is_at_context=True,
        context="simple key",
    ),
    Row(
        "a mark of a merge conflict; keep one of the two sides, and take all such lines out",
        before=r"^(<{7}|={7}|>{7})( |$)",
    ),
    Row(
        "this quote is never closed; close it where the text ends",
        context="quoted scalar",
        problem="end of stream",
        is_at_context=True,
    ),
    Row(
        "this quote is not closed before the --- in line {line}; close it where the text ends",
        context="quoted scalar",
        problem="document separator",
        is_at_context=True,
    ),
    Row(
        r"\{char} means nothing in double quotes; write \\{char}, or use single quotes",
        context="double-quoted",
        problem="unknown escape",
    ),
    Row(
        r"an escape such as \x41 or \u0041 lacks digits; write them, or use single quotes",
        context="double-quoted",
        problem="hexadecimal",
    ),
    Row(f"& and * begin the name of an anchor, and here is none; {_QUOTE_IT}", context="an (anchor|alias)"),
    Row(f"* begins the name of an anchor, and no & before has it; {_QUOTE_IT}", problem="undefined alias"),
    Row(
        "the anchor of line {line} stands here again; give one of the two another name",
        context="duplicate anchor",
    ),
    Row("%YAML stands twice; keep one of the lines", problem="duplicate YAML directive"),
    Row("only %YAML 1.1 and 1.2 are read; take this line out", problem="incompatible YAML"),
    Row("the same %TAG stands twice; keep one of the lines", problem="duplicate tag handle"),
    Row(f"a line that begins with % cannot be read here; take it out, or {_QUOTE_IT}", context="directive"),
    Row(f"! begins a tag, and this is none; {_QUOTE_IT}", context=" tag$"),
    Row(f"! begins a tag, and this is none; {_QUOTE_IT}", problem="undefined tag handle"),
    Row(
        "behind | or > only +, - and a number from 1 to 9 may stand; begin the text in the next line, or put "
        "it in quotes",
        context="block scalar",
    ),
    Row("a text may not begin with {char}; put it in quotes", problem="cannot start any token"),
    Row("a text may not begin with ?; put it in quotes", problem="mapping keys are not allowed"),
    Row(
        "a list begins in a line of its own; put this - there, or write the list as [a, b]",
        problem="sequence entries are not allowed",
    ),
    Row(
        "a space must stand behind the colon; write name: value",
        context="simple key",
        line=_NO_SPACE,
        is_at_context=True,
    ),
    Row(
        "this is no field: a field is a name, a colon and a space, as in name: digits; write it so, or put "
        "a text of several lines in quotes",
        context="simple key",
        is_at_context=True,
    ),
    Row("a name has 1,024 characters at most; shorten it", problem="mapping values", upto=r"[^\s:]{1024}"),
    Row(
        "no field may begin behind ---; begin it in the next line",
        problem="mapping values",
        upto=r"^---\s",
    ),
    Row(
        "a second field begins in this line; put a text with a colon in quotes, or begin the field in a line "
        "of its own",
        problem="mapping values",
        upto=r":\s",
    ),
    Row(
        "a space must stand behind the colon of line {above}; write name: value",
        problem="mapping values",
        before=_NO_SPACE,
    ),
    Row(
        "this field is indented further than the one in line {above}, which has a value already; begin both "
        "in the same column",
        problem="mapping values",
        before=r":\s+\S",
    ),
    Row(
        "no field may begin here, because line {above} is a text; write name: value there, or put all of the "
        "text in quotes",
        problem="mapping values",
    ),
    Row(
        "behind a line that begins with %, --- must follow; put it in a line of its own, or take the line "
        "with % out",
        problem="expected '<document start>'",
        before="^%",
    ),
    Row(
        "the document has ended before this; put --- in a line of its own, if another one begins",
        problem="expected '<document start>'",
    ),
    Row(
        "behind this [ a comma or ] is missing before line {line}, column {column}; write it",
        context="flow sequence",
        is_at_context=True,
    ),
    Row(
        "behind this {{ a comma or }} is missing before line {line}, column {column}; write it",
        context="flow mapping",
        is_at_context=True,
    ),
    Row(
        "a value is missing before {char}; write it, or put a text with {char} in quotes",
        problem="node content",
        at=r"^[\]},]",
    ),
    Row(
        "a [ or {{ before is still open; close it",
        context="flow node",
        problem="node content.*(<stream end>|<document)",
    ),
    Row("a value is missing here; write it", problem="node content"),
    Row(
        "this line fits into no list: the dashes of the list that begins in line {line} stand in column "
        "{column}; begin it with a dash there, or indent it as what it belongs to",
        context="block collection",
    ),
    Row("the name of a field is missing before the colon; write it", context="block mapping", at="^:"),
    Row(
        "text follows a quote that was closed; put all of it in quotes, or close an earlier quote where its "
        "text ends",
        context="block mapping",
        upto=r"[\"']\s*$",
    ),
    Row(
        "the value has ended before this; put all of it in quotes, or begin this in a line of its own",
        context="block mapping",
        upto=r"\S",
    ),
    Row(
        "a dash stands among the fields from line {line} on; put the list behind a field of its own",
        context="block mapping",
        at=r"^-(\s|$)",
    ),
    Row(
        "this line is indented as no field around it: the fields from line {line} on begin in column "
        "{column}; begin it there, or indent it as what it belongs to",
        context="block mapping",
    ),
    Row(
        "this cannot be read; look here and in the line before for a quote, a bracket, a colon or an indent "
        "that is missing or too much"
    ),
)
