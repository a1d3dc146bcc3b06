"""How commands are called: `knoll models` and, in kn, `kn model list` are one command, and texts name it as
its user types it.

kn hands a plugin all words but the plugin's own name, flags before that name included. So the flags that say
which cluster is meant may stand anywhere.
"""

import re
from collections.abc import Sequence

__all__ = ["PLUGIN", "PROGRAM", "flags_first", "spoken"]

PROGRAM, PLUGIN = "knoll", "kn model"
_VERBS = (
    "apply",
    "upload",
    "delete",
    "runs",
    "models",
    "versions",
    "describe",
    "rollout",
    "events",
    "why",
    "predict",
    "gc",
    "dlq",
)
_RENAMED = {"models": "list"}
_COMMAND = re.compile(rf"\b{PROGRAM} ({'|'.join(_VERBS)})\b")
_FLAGS = ("-n", "--namespace", "--context", "--kubeconfig", "--cluster")


def spoken(program: str, text: str) -> str:
    """The text with the commands in it as users of `program` type them."""
    if program != PLUGIN:
        return text
    return _COMMAND.sub(lambda match: f"{PLUGIN} {_RENAMED.get(match[1], match[1])}", text)


def flags_first(words: Sequence[str]) -> list[str]:
    """The words of a command line with the cluster's flags in front; what follows `--`, and a flag without a
    value, stay in place."""
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
