"""How kserve is imported: without our command line, and without modules that a predictor does not need.

kserve imports pandas and a client of the API server for functions that no predictor calls. Together they take
a quarter of a cold start. During the import, empty modules take their place.
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
    """A module in which every name is an empty class, for annotations and `isinstance`."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


@contextmanager
def importing_kserve() -> Iterator[None]:
    """Inside, kserve may be imported. It would read the command line, and take our arguments, or --help, for
    its own.

    The garbage collector is off meanwhile, and later skips the imported objects.
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
