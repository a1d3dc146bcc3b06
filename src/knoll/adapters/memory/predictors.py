"""Predictors that are never there: no request gets an answer."""

from dataclasses import dataclass, field

from knoll.ports import PredictAnswer, PredictRequest

__all__ = ["MemoryPredictors"]


@dataclass
class MemoryPredictors:
    """`ports.Predictors`: `asked` has the URL of each request in order; none is answered."""

    asked: list[str] = field(default_factory=list)

    def predict(self, request: PredictRequest) -> PredictAnswer:
        """Keep the URL. The status is 0."""
        self.asked.append(request.url)
        return PredictAnswer(0, 0.0, b"", request.accept, "")
