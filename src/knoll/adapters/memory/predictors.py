"""Predictors of which none is there."""

from dataclasses import dataclass, field

from knoll.ports import Answer

__all__ = ["MemoryPredictors"]


@dataclass
class MemoryPredictors:
    """`ports.Predictors`: `asked` has the URL of each request in order; none is answered."""

    asked: list[str] = field(default_factory=list)

    def predict(
        self,
        url: str,
        model: str,  # noqa: ARG002
        body: bytes,  # noqa: ARG002
        *,
        accept: str = "application/json",
        is_replay: bool = False,  # noqa: ARG002
        seconds: float = 300.0,  # noqa: ARG002
    ) -> Answer:
        """Keep the URL. The status is 0."""
        self.asked.append(url)
        return Answer(0, 0.0, b"", accept, "")
