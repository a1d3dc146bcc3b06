"""A client at the gateway of a laptop."""

from collections.abc import Callable
from typing import Any

from laptop.conftest import laptop, laptop_with  # noqa: F401 - fixtures
from laptop.running import Laptop


def test_a_sleeping_model_is_ready_and_answers(
    asking: Callable[..., Any],
    laptop: Laptop,  # noqa: F811
) -> None:
    """To ask whether it is ready wakes nothing. A request whose replica has ended is sent again."""
    laptop.serve()
    laptop.restart()
    url = laptop.front.url
    assert asking(url, lambda client: client.models()) == ["digits"]
    assert asking(url, lambda client: client.model("digits").ready()) is True
    assert laptop.autoscaler.running == []
    answer = asking(url, lambda client: client.model("digits").predict("crash once"))
    assert (answer.version, answer.id) == ("v1", "id-of-v1")
