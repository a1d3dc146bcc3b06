"""How commands are called. `knoll models` and `kn model list` are one command, and each text names it as its
user types it.

kn gives a plugin all words but the plugin's own name, also flags that stand before that name. So the flags
for the cluster may stand anywhere.
"""

import re
from collections.abc import Sequence

__all__ = ["PLUGIN", "PROGRAM", "RENAMED", "asks_for_json", "flags_first", "spoken"]

PROGRAM, PLUGIN = "knoll", "kn model"
RENAMED = {"models": "list"}  # verbs that kn users know by another name
_FLAGS = ("-n", "--namespace", "--context", "--kubeconfig", "--cluster")


def spoken(program: str, text: str) -> str:
    """The text with the commands in it as users of `program` type them."""
    if program != PLUGIN:
        return text
    from knoll.cli.app import VERBS  # here, because the table imports all verbs, and they import this

    shared = {verb.words.partition(" ")[0] for verb in VERBS if not verb.is_local}
    command = re.compile(rf"\b{PROGRAM} ({'|'.join(shared)})\b")
    return command.sub(lambda match: f"{PLUGIN} {RENAMED.get(match[1], match[1])}", text)


def asks_for_json(words: Sequence[str]) -> bool:
    """Whether the words ask for JSON, whatever else is wrong with them."""
    line = f" {' '.join(words[: words.index('--')] if '--' in words else words)} "
    return re.search(r" (-o[ =]?|--output[ =])json ", line) is not None


def flags_first(words: Sequence[str]) -> list[str]:
    """The words of a command line, the cluster's flags first. Words after `--`, and a flag without a value,
    stay in place."""
    end = words.index("--") if "--" in words else len(words)
    front: list[str] = []
    rest: list[str] = []
    left = iter(words[:end])
    for word in left:
        if word.partition("=")[0] not in _FLAGS:
            rest.append(word)
        elif "=" in word:
            front.append(word)
        elif (value := next(left, None)) is None:
            rest.append(word)
        else:
            front += [word, value]
    return [*front, *rest, *words[end:]]
