"""The class of a user that `--custom module:Class` names: a `kserve.Model`.

It is found by its name, and made as kserve's own server does: constructor, `load` if it is not ready, then
`start`.
"""

import importlib
import inspect
import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from knoll.errors import Rejected, Unavailable

__all__ = ["CustomClass"]

_log = logging.getLogger(__name__)
_FOLDER = "model_dir"  # so the runtimes of kserve call it, too
_FORM = "give --custom module:Class, and a module that Python finds: in this folder, or installed"


class CustomClass:
    """The class with that name; its module is imported now. `keep` takes the verified files of the version,
    for a constructor with a parameter `model_dir`. Raises Rejected if there is no such class."""

    def __init__(self, named: str) -> None:
        self.name, self._files = named, dict[str, bytes]()
        self._class = _found(named)
        try:
            self._parameters = inspect.signature(self._class).parameters
        except ValueError:
            self._parameters = inspect.signature(lambda name: name).parameters

    def keep(self, files: Mapping[str, bytes]) -> None:
        """Hold the files until the object is made, if its constructor wants them."""
        if _FOLDER in self._parameters:
            self._files = dict(files)

    def make(self, model: str) -> Any:
        """The object, loaded and started, under the name of the model. Raises Unavailable if it is not ready:
        what it needs may be there later."""
        try:
            made = self._class(model, **self._folder())
            if not made.ready:
                made.load()
            made.start()
        except Exception as error:
            _log.exception("%s cannot be loaded", self.name)
            raise Unavailable(
                f"{self.name} cannot be loaded: {type(error).__name__}: {error}", fix="the log says where"
            ) from error
        return made

    def _folder(self) -> dict[str, Any]:
        """A folder of this process with the files: in another one they could change after they were
        verified."""
        if _FOLDER not in self._parameters:
            return {}
        self._root = TemporaryDirectory(prefix="knoll-version-")  # until this object ends
        root = Path(self._root.name)
        for name, body in self._files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
        self._files = {}
        return {_FOLDER: str(root)}


def _found(named: str) -> Any:
    module, _, name = named.partition(":")
    if not module or not name:
        raise Rejected(f"--custom {named!r} names no class", fix=_FORM)
    try:
        import kserve
    except ImportError as error:
        raise Rejected(
            f"{named} needs kserve: {error}", fix="install kserve in the image, beside knoll"
        ) from error
    sys.path.insert(0, str(Path.cwd()))
    try:
        found = getattr(importlib.import_module(module), name)
    except AttributeError as error:
        raise Rejected(f"there is no {name} in {module}", fix=_FORM) from error
    except Exception as error:  # whatever a module may raise
        raise Rejected(f"{module} cannot be imported: {type(error).__name__}: {error}", fix=_FORM) from error
    if not (isinstance(found, type) and issubclass(found, kserve.Model)):
        raise Rejected(f"{named} is no kserve.Model", fix="derive the class from kserve.Model")
    return found
