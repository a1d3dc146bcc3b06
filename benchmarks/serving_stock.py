"""A stock kserve model server with an ONNX graph, to be compared with: serving_stock.py MODEL FILE PORT."""

import sys
from typing import Any


def main() -> None:
    """Serve until SIGTERM, by REST alone."""
    model, file, port = sys.argv[1:]
    sys.argv = sys.argv[:1]  # kserve would read them
    import onnxruntime
    from kserve import InferOutput, InferResponse, Model, ModelServer

    class Graph(Model):  # type: ignore[misc]
        def load(self) -> bool:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = options.inter_op_num_threads = 1
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
            self.session = onnxruntime.InferenceSession(file, options)
            self.ready = True
            return True

        def predict(self, payload: Any, *_: Any, **__: Any) -> Any:
            (given,) = payload.inputs
            (found,) = self.session.run(["y"], {"x": given.as_numpy()})
            output = InferOutput("y", list(found.shape), "FP32", found)
            is_binary = payload.use_binary_outputs
            return InferResponse(payload.id or "", self.name, [output], use_binary_outputs=is_binary)

    served = Graph(model)
    served.load()
    ModelServer(http_port=int(port), enable_grpc=False).start([served])


if __name__ == "__main__":
    main()
