"""A stock kserve model server whose model does nothing. It shows what KServe itself costs."""

from typing import Any

from kserve import Model, ModelServer


class Nothing(Model):  # type: ignore[misc]
    """Answers with its input."""

    def __init__(self) -> None:
        super().__init__("stock")
        self.ready = True

    async def predict(self, payload: dict[str, Any], *_: Any, **__: Any) -> dict[str, Any]:
        """One prediction for each instance: the instance."""
        return {"predictions": payload["instances"]}


if __name__ == "__main__":
    ModelServer().start([Nothing()])
