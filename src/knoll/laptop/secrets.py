"""The Secrets that a container on a laptop can name: the platform's own, and those among its documents."""

from base64 import b64decode
from collections.abc import Iterator, Mapping

from knoll.errors import NotFound
from knoll.ports import Cluster

__all__ = ["Secrets"]


class Secrets(Mapping[str, Mapping[str, str]]):
    """Entries by name; the `own` ones come first. Raises Unavailable if the documents cannot be read."""

    def __init__(self, own: Mapping[str, Mapping[str, str]], cluster: Cluster) -> None:
        self._own, self._cluster = own, cluster

    def __getitem__(self, name: str) -> Mapping[str, str]:
        if name in self._own:
            return self._own[name]
        try:
            data = self._cluster.get("Secret", name).get("data") or {}
        except NotFound as error:
            raise KeyError(name) from error
        return {entry: b64decode(value).decode() for entry, value in data.items()}

    def __iter__(self) -> Iterator[str]:
        listed = [one["metadata"]["name"] for one in self._cluster.list("Secret")]
        return iter({*self._own, *listed})

    def __len__(self) -> int:
        return sum(1 for _ in self)
