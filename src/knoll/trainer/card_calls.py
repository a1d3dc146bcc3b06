"""The part of a model card that says how to call the version, and what comes back."""

import json
import shlex

from knoll.codecs import CODECS, example_instance
from knoll.markdown import code, fenced, paragraph, section, shortened, table
from knoll.paths import predict_path
from knoll.quoting import escaped
from knoll.records.manifest import GRAPH
from knoll.records.samples import SAMPLES, Sample
from knoll.records.signature import Signature, Tensor
from knoll.trainer.card_facts import CardFacts

__all__ = ["calls_section"]

_LONGEST = 80  # characters of an instance that is shown as it is


def calls_section(facts: CardFacts) -> str:
    """A request of the right form, the answer to a sample, and the graph behind them."""
    signature, sample = facts.signature, facts.sample
    tensors = [("input", one) for one in signature.inputs] + [("output", one) for one in signature.outputs]
    answer = f'{{"predictions": [{shortened(sample.prediction)}]}}'
    return section(
        "Call it",
        fenced(_request(facts.run.model, signature, sample), "sh"),
        "An answer:",
        fenced(paragraph(answer), "txt"),
        "`KNOLL_URL` is where the model is served; on a laptop, `knoll env` prints it. "
        f"[`{SAMPLES}`]({SAMPLES}) has more requests with their answers.",
        f"The graph in [`{GRAPH}`]({GRAPH}):",
        table(("", "name", "type", "shape", "codec"), ((side, *_row(one)) for side, one in tensors)),
    )


def _request(model: str, signature: Signature, sample: Sample) -> str:
    """A command that sends one instance. What is too long to be typed comes from a file."""
    place = f'"$KNOLL_URL{predict_path(model)}"'
    only = CODECS[signature.inputs[0].codec] if len(signature.inputs) == 1 else None
    if only and only.shell:
        return f'curl {place} \\\n  -d "{{\\"instances\\": [{only.shell}]}}"'
    instance = example_instance(signature) if only and only.is_noise else sample.instance
    told = escaped(json.dumps(instance))
    if len(told) > _LONGEST:
        return f"jq '{{instances: [.samples[0].instance]}}' {SAMPLES} |\n  curl {place} -d @-"
    body = shlex.quote(f'{{"instances": [{told}]}}')
    return f"curl {place} \\\n  -d {body}"


def _row(tensor: Tensor) -> tuple[str, ...]:
    shape = "×".join("batch" if size < 0 else str(size) for size in tensor.shape)
    return code(tensor.name), tensor.datatype, shape, tensor.codec
