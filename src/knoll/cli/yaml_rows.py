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
    """A sentence, and the patterns that must all be found to say it. `context` and `problem` are what PyYAML
    says. `at` is the line from the place on, `upto` the line before the place, `line` the whole line, and
    `before` the last line above that is not empty. The place is that of the problem, or else of the context.

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
        "a mark of a merge conflict; keep one of the two sides, and remove all such lines",
        line=r"^(<{7}|={7}|>{7})( |$)",
        is_at_context=True,
        context="simple key",
    ),
    Row(
        "a mark of a merge conflict; keep one of the two sides, and remove all such lines",
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
    Row(
        f"& and * begin the name of an anchor, and no name follows; {_QUOTE_IT}",
        context="an (anchor|alias)",
    ),
    Row(f"* names an anchor that no & above has defined; {_QUOTE_IT}", problem="undefined alias"),
    Row(
        "the anchor of line {line} stands here again; give one of the two another name",
        context="duplicate anchor",
    ),
    Row("%YAML stands twice; keep one of the lines", problem="duplicate YAML directive"),
    Row("only %YAML 1.1 and 1.2 are read; remove this line", problem="incompatible YAML"),
    Row("the same %TAG stands twice; keep one of the lines", problem="duplicate tag handle"),
    Row(f"a line that begins with % cannot be read here; remove it, or {_QUOTE_IT}", context="directive"),
    Row(f"! begins a tag, and this is not one; {_QUOTE_IT}", context=" tag$"),
    Row(f"! begins a tag, and this is not one; {_QUOTE_IT}", problem="undefined tag handle"),
    Row(
        "only +, - and a number from 1 to 9 may follow | or >; begin the text on the next line, or put it "
        "in quotes",
        context="block scalar",
    ),
    Row("a text may not begin with {char}; put it in quotes", problem="cannot start any token"),
    Row("a text may not begin with ?; put it in quotes", problem="mapping keys are not allowed"),
    Row(
        "a list begins on a line of its own; put this - there, or write the list as [a, b]",
        problem="sequence entries are not allowed",
    ),
    Row(
        "there must be a space after the colon; write name: value",
        context="simple key",
        line=_NO_SPACE,
        is_at_context=True,
    ),
    Row(
        "this is not a field: a field has a name, a colon and a space, as in name: digits; write it like "
        "that, or put a text of several lines in quotes",
        context="simple key",
        is_at_context=True,
    ),
    Row("a name has 1,024 characters at most; shorten it", problem="mapping values", upto=r"[^\s:]{1024}"),
    Row(
        "no field may begin after ---; begin it on the next line",
        problem="mapping values",
        upto=r"^---\s",
    ),
    Row(
        "a second field begins on this line; put a text with a colon in quotes, or begin the field on a "
        "line of its own",
        problem="mapping values",
        upto=r":\s",
    ),
    Row(
        "there must be a space after the colon of line {above}; write name: value",
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
        "--- must follow a line that begins with %; put it on a line of its own, or remove the line with %",
        problem="expected '<document start>'",
        before="^%",
    ),
    Row(
        "the document has ended before this; put --- on a line of its own, if another one begins",
        problem="expected '<document start>'",
    ),
    Row(
        "a comma or ] is missing between this [ and line {line}, column {column}; write it",
        context="flow sequence",
        is_at_context=True,
    ),
    Row(
        "a comma or }} is missing between this {{ and line {line}, column {column}; write it",
        context="flow mapping",
        is_at_context=True,
    ),
    Row(
        "a value is missing before {char}; write it, or put a text with {char} in quotes",
        problem="node content",
        at=r"^[\]},]",
    ),
    Row(
        "an earlier [ or {{ is still open; close it",
        context="flow node",
        problem="node content.*(<stream end>|<document)",
    ),
    Row("a value is missing here; write it", problem="node content"),
    Row(
        "this line belongs to no list: the list that begins in line {line} has its dashes in column "
        "{column}; begin the line with a dash there, or indent it like the lines that it belongs to",
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
        "the value has ended before this; put all of it in quotes, or begin this on a line of its own",
        context="block mapping",
        upto=r"\S",
    ),
    Row(
        "a dash stands among the fields from line {line} on; give the list a field of its own",
        context="block mapping",
        at=r"^-(\s|$)",
    ),
    Row(
        "no field around this line has its indent: the fields from line {line} on begin in column {column}; "
        "begin it there, or indent it like the lines that it belongs to",
        context="block mapping",
    ),
    Row(
        "this cannot be read; look here and on the line before for a quote, a bracket, a colon or an indent "
        "that is missing or superfluous"
    ),
)
