"""The part of a model card that says how to call the version, and what comes back."""

import json
import shlex

from knoll.paths import predict_path
from knoll.quoting import escaped
from knoll.records.samples import SAMPLES, Sample
from knoll.records.signature import Signature, Tensor
from knoll.trainer.card_text import code, section, shortened, table

__all__ = ["how_to_call"]

_LONGEST = 300  # characters of an instance that is shown as it is


def how_to_call(model: str, signature: Signature, sample: Sample) -> str:
    """The section, with a request of the right form, and the answer to a sample."""
    tensors = [("input", one) for one in signature.inputs] + [("output", one) for one in signature.outputs]
    return section(
        "Call it",
        f"```sh\n{_request(model, signature, sample)}\n```",
        f'An answer:\n\n```text\n{{"predictions": [{shortened(sample.prediction)}]}}\n```',
        f"`KNOLL_URL` is where the model is served; on a laptop, `knoll env` prints it. `{SAMPLES}` has more "
        "requests with their answers.",
        "The graph in `model.onnx`:",
        table(("", "name", "type", "shape", "codec"), ((side, *_row(one)) for side, one in tensors)),
    )


def _request(model: str, signature: Signature, sample: Sample) -> str:
    """A command that sends one instance. What is too long to be typed comes from a file."""
    place = f'"$KNOLL_URL{predict_path(model)}"'
    codecs = [one.codec for one in signature.inputs]
    if codecs == ["image"]:
        picture = "$(base64 < picture.png | tr -d '\\n')"
        return f'curl {place} -d "{{\\"instances\\": [{{\\"b64\\": \\"{picture}\\"}}]}}"'
    instance = {"seed": 7} if codecs == ["latent"] else sample.instance
    told = escaped(json.dumps(instance))
    if len(told) > _LONGEST:
        return f"jq '{{instances: [.samples[0].instance]}}' {SAMPLES} | curl {place} -d @-"
    body = shlex.quote(f'{{"instances": [{told}]}}')
    return f"curl {place} -d {body}"


def _row(tensor: Tensor) -> tuple[str, ...]:
    shape = "×".join("batch" if size < 0 else str(size) for size in tensor.shape)
    return code(tensor.name), tensor.datatype, shape, tensor.codec
