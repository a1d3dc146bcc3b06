"""How the network of texts learns: AdamW, half a cosine, cross-entropy, and texts without some tokens."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

import torch
from torch import nn

from knoll.errors import Rejected
from knoll.families.annealing import adamw, half_cosine
from knoll.families.base import Baseline, Batch, Examples, LearningPart, Scores, ServedGraph, Slices, parts
from knoll.families.classifying import answer, class_metrics, imitation_loss, logits_by_class, recalls
from knoll.families.text.baselines import regress_words
from knoll.families.text.declaration import TextConfig
from knoll.families.text.network import TextNetwork
from knoll.families.text.tokens import texts_of, tokenize

__all__ = ["TextLearning"]

_NARROWEST = 4
_MOST_REGRESSED = 50_000  # texts from which the baseline learns


class TextLearning(LearningPart[TextConfig]):
    """One network, `texts`."""

    def build(self, config: TextConfig, about: Mapping[str, Any]) -> nn.ModuleDict:
        """See `LearningPart.build`."""
        return nn.ModuleDict({"texts": TextNetwork(about, config)})

    def optimizers(self, networks: nn.ModuleDict, config: TextConfig) -> Mapping[str, torch.optim.Optimizer]:
        """AdamW."""
        return adamw(networks, config.learning_rate, config.weight_decay)

    def rate(self, done: float, config: TextConfig) -> float:
        """See `half_cosine`."""
        return half_cosine(done)

    def augment(self, batch: Batch, config: TextConfig) -> Batch:
        """Some tokens are left out, with a gap in their place."""
        tokens, targets = batch
        is_kept = torch.rand(tokens.shape, device=tokens.device) >= config.token_dropout
        return tokens * is_kept, targets

    def losses(
        self, networks: nn.ModuleDict, batch: Batch, config: TextConfig
    ) -> Iterator[tuple[str, torch.Tensor]]:
        """Cross-entropy. Texts that are trained on are left out of the counts of n-grams that judge them."""
        tokens, targets = batch
        network = cast(TextNetwork, networks["texts"])
        logits = network(tokens, targets if network.training else None)
        yield "texts", nn.functional.cross_entropy(logits, targets)

    def score(self, networks: nn.ModuleDict, examples: Examples, config: TextConfig) -> Mapping[str, float]:
        """See `_metrics`."""
        return _metrics(*answer(networks["texts"], examples.held_out, config.batch_size))

    def score_slices(self, networks: nn.ModuleDict, examples: Examples, config: TextConfig) -> Slices:
        """See `recalls`."""
        found = answer(networks["texts"], examples.held_out, config.batch_size)
        return recalls(*found, examples.about["classes"])

    def score_served(self, served: ServedGraph, examples: Examples, config: TextConfig) -> Scores:
        """See `LearningPart.score_served`. A version with other tokens is asked about the texts that ours
        stand for. A class that it does not know gets no probability."""
        numbers, classes, targets = (
            _as_served(served, examples),
            examples.about["classes"],
            examples.held_out[1][:],
        )
        answers = torch.cat([served.answer((part,))[0] for part in parts(numbers, config.batch_size)])
        logits = logits_by_class(answers, served.signature.outputs[0].labels, classes)
        return Scores(_metrics(logits, targets), recalls(logits, targets, classes))

    def imitation(self, answers: Batch, wanted: Batch) -> torch.Tensor:
        """See `imitation_loss`."""
        return imitation_loss(answers[0], wanted[0])

    def narrower(self, config: TextConfig) -> TextConfig | None:
        """Half as wide; None if it is as narrow as it may be."""
        width = max(_NARROWEST, config.width // 2)
        return None if width == config.width else config.model_copy(update={"width": width})

    def baseline(self, examples: Examples, config: TextConfig) -> Baseline:
        """Logistic regression on the words of the texts, and always the most frequent class beside it."""
        content, classes = examples.about["tokenizer"]["content"], len(examples.about["classes"])
        count = len(examples.train[0])
        rows = torch.linspace(0, count - 1, min(count, _MOST_REGRESSED)).long()
        learnt, targets = (column[rows] for column in examples.train)
        asked, truth = (column[:] for column in examples.held_out)
        logits = regress_words(texts_of(content, learnt), targets, texts_of(content, asked), classes)
        found = _metrics(logits, truth)
        shares = torch.tensor(examples.about["shares"]).log().expand(len(truth), -1)
        naive = _metrics(shares, truth)
        told = ", ".join(f"{name} {naive[name]:.4g}" for name in ("accuracy", "macro_f1", "loss"))
        return Baseline(
            "logistic regression on the TF-IDF of words; beside it always the most frequent class, with the "
            f"shares of the classes as probabilities, has {told}",
            found,
        )


def _as_served(served: ServedGraph, examples: Examples) -> torch.Tensor:
    """The tokens that the version has for the held-out texts. Raises Rejected if it takes no texts."""
    if len(served.signature.inputs) != 1 or not served.signature.inputs[0].takes_text:
        raise Rejected("its inputs are no texts")
    (text,), (numbers, _) = served.signature.inputs, examples.held_out
    other, ours = text.options.get("content"), examples.about["tokenizer"]["content"]
    if other is None or other.text == ours:
        return numbers[:]
    if examples.about["lowercase"] and not text.options["lowercase"]:
        raise Rejected("it tells capital letters from small ones, and this version does not")
    return tokenize(other.text, texts_of(ours, numbers[:]), text.shape[1]).numbers


def _metrics(logits: torch.Tensor, targets: torch.Tensor) -> Mapping[str, float]:
    """Those of `class_metrics`; and of two classes f1 of the second one."""
    found = class_metrics(logits, targets)
    if logits.shape[1] != 2:
        return found
    said, true = logits.argmax(1) == 1, targets == 1
    total = int(said.sum() + true.sum())
    return {**found, "f1": 2 * int((said & true).sum()) / total if total else 1.0}
