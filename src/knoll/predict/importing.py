"""How kserve is imported: without our arguments, and without what a predictor does not need.

It imports pandas, and a client of the API server, for functions that no predictor calls, and together they
are a quarter of a cold start. While it is imported, empty modules stand in for them.
"""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

__all__ = ["importing_kserve"]

_NOT_CALLED = ("pandas", "kserve.api.kserve_client")


class _StandIn(ModuleType):
    """A module in which every name is a class without anything in it, for annotations and `isinstance`."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


@contextmanager
def importing_kserve() -> Iterator[None]:
    """Inside, kserve may be imported. It would read the command line, and take our arguments, or --help, for
    its own.

    The garbage collector rests meanwhile, and never looks again at what an import leaves behind.
    """
    stand_ins = {name: _StandIn(name) for name in _NOT_CALLED if name not in sys.modules}
    arguments, sys.argv = sys.argv, sys.argv[:1]
    sys.modules.update(stand_ins)
    gc.disable()
    try:
        yield
    finally:
        sys.argv = arguments
        for name in stand_ins:
            del sys.modules[name]
        gc.freeze()
        gc.enable()
