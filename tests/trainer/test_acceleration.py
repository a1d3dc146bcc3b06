"""How a training computes: one rule chooses it, and whatever it is, the losses stay what they were."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch

from knoll.families.base import Examples
from knoll.families.image.family import ImageClassifier
from knoll.records.progress import load_progress, progress_uri
from knoll.records.run import load_run, run_uri
from knoll.trainer.acceleration import PLAIN, WARM_UPS, Acceleration, ComputeFacts, choose
from knoll.trainer.device import facts_of
from knoll.trainer.loop import Trained, train_networks
from knoll.trainer.run import train
from knoll.trainer.stopping import Terminated
from trainer.cheap import serve_nothing
from trainer.ranks_script import points
from trainer.still import STILL_IMAGE, StillDcgan, colours, losses, quarters, train_silently
from trainer.test_checkpoints import Shelf
from trainer.test_divergence import CONFIG, Ill
from trainer.test_trainer import ROOT, RUN, world

CPU = torch.device("cpu")
BOTH = ("bf16", "fp16")
H200 = ComputeFacts("cuda", (9, 0), True, BOTH, has_pictures=True, steps=1000)
T4 = replace(H200, capability=(7, 5), has_bf16=False)
P100 = replace(H200, capability=(6, 0), has_bf16=False)
OF_CPU = replace(H200, device="cpu", capability=(0, 0), has_bf16=False)
ON_GPU = {"fused", "pinned"}


@pytest.mark.parametrize(
    ("facts", "wishes", "chosen"),
    [
        (OF_CPU, {}, {"fp32"}),
        (replace(OF_CPU, device="mps"), {}, {"fp32"}),
        (H200, {}, {"bf16", "tf32", "channelsLast", *ON_GPU}),
        (T4, {}, {"fp16", "channelsLast", *ON_GPU}),
        (P100, {}, {"fp32", *ON_GPU}),
        (replace(H200, has_pictures=False), {}, {"bf16", "tf32", *ON_GPU}),
        (replace(H200, precisions=()), {}, {"fp32", *ON_GPU}),
        (replace(T4, precisions=("bf16",)), {}, {"fp32", *ON_GPU}),
        (H200, {"precision": "fp32"}, {"fp32", *ON_GPU}),
        (H200, {"precision": "fp32", "tf32": True}, {"fp32", "tf32", *ON_GPU}),
        (H200, {"precision": "fp16"}, {"fp16", "tf32", "channelsLast", *ON_GPU}),
        (H200, {"fused": False, "channelsLast": False}, {"bf16", "tf32", "pinned"}),
        (H200, {"compile": True, "cudaGraphs": True, "tf32": False},
         {"bf16", "channelsLast", *ON_GPU, "compile", "cudaGraphs"}),
        (OF_CPU, {"precision": "bf16", "fused": True}, {"bf16", "fused"}),
        (OF_CPU, {"channelsLast": True, "compile": True}, {"fp32", "channelsLast", "compile"}),
    ],
)  # fmt: skip
def test_the_rule_chooses_by_device_family_and_wishes(
    facts: ComputeFacts, wishes: Mapping[str, Any], chosen: set[str]
) -> None:
    """Each part has its reason. What a Model asks for is done, and nothing is refused."""
    how = choose(facts, wishes)
    on = {name for name, value in how.values.items() if value is True}
    assert on | {how.precision} == chosen
    assert how.why.keys() == how.values.keys()
    assert all(how.why.values())
    assert {name for name in wishes if how.why[name] == "the Model asks for it"} == wishes.keys()
    assert not how.refused


@pytest.mark.parametrize(
    ("facts", "wish", "why"),
    [
        (OF_CPU, {"precision": "fp16"}, "a training in fp16 needs a GPU, and the device is cpu"),
        (replace(H200, precisions=("bf16",)), {"precision": "fp16"}, "the family does not learn in fp16"),
        (T4, {"precision": "bf16"}, "this GPU has no units for bf16"),
        (replace(OF_CPU, device="mps"), {"precision": "bf16"}, "this is not known to work on mps"),
        (OF_CPU, {"tf32": True}, "it needs a GPU, and the device is cpu"),
        (T4, {"tf32": True}, "this GPU has no units for it"),
        (replace(H200, has_pictures=False), {"channelsLast": True}, "no example is a picture"),
        (replace(OF_CPU, device="mps"), {"fused": True}, "this is not known to work on mps"),
        (replace(H200, no_compiler="there is no g++"), {"compile": True}, "there is no g++"),
        (OF_CPU, {"cudaGraphs": True}, "it needs a GPU, and the device is cpu"),
        (replace(H200, steps=WARM_UPS), {"cudaGraphs": True}, "the training has 3 steps, and 3 come before"),
    ],
)  # fmt: skip
def test_a_wish_that_cannot_be_met_is_refused_with_the_reason(
    facts: ComputeFacts, wish: Mapping[str, Any], why: str
) -> None:
    """The rule then chooses as if nobody had asked, and people are told."""
    how = choose(facts, wish)
    ((name, said),) = how.refused.items()
    assert {name} == wish.keys()
    assert said.startswith(why)
    assert how.values == choose(facts, {}).values
    assert why in next(told for one, _, told in how.told() if one == name)


FAMILIES: dict[str, tuple[Any, Mapping[str, Any], Examples]] = {
    "image-classifier": (ImageClassifier(), {**STILL_IMAGE, "epochs": 4}, quarters(24, 16)),
    "dcgan": (StillDcgan(), {"epochs": 1, "batchSize": 4, "scored": 2}, colours(8)),
}


@pytest.fixture(scope="module")
def some(digits: dict[str, bytes]) -> dict[str, bytes]:
    return {key: body for key, body in digits.items() if key[0] in "01"}


def fit(name: str, how: Acceleration = PLAIN, shelf: Shelf | None = None, stop_after: int = 0) -> Trained:
    return train_silently(*FAMILIES[name], CPU, how, shelf, stop_after)


def are_same(one: Trained, other: Trained) -> bool:
    mine, theirs = one.networks.state_dict(), other.networks.state_dict()
    return all(torch.equal(mine[name], theirs[name]) for name in theirs)


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("image-classifier", Acceleration("bf16")),
        ("image-classifier", Acceleration("fp16")),
        ("image-classifier", Acceleration(channels_last=True)),
        ("image-classifier", Acceleration(fused=True)),
        ("dcgan", Acceleration("bf16", channels_last=True, fused=True)),
    ],
    ids=["bf16", "fp16", "channelsLast", "fused", "all-of-dcgan"],
)
def test_the_losses_are_those_of_a_plain_training(name: str, how: Acceleration) -> None:
    """Within what is rounded. The weights are fp32, in the usual order, and rounded in another way."""
    trained, plain = fit(name, how), fit(name)
    assert losses(trained) == pytest.approx(losses(plain), rel=0.05, abs=0.02)
    assert not are_same(trained, plain)
    assert all(one.is_contiguous() for one in trained.networks.parameters())
    assert {one.dtype for one in trained.networks.parameters()} == {torch.float32}
    assert trained.notes == ()


@pytest.mark.parametrize(
    "how", [Acceleration("fp16"), Acceleration("bf16", channels_last=True, fused=True)], ids=["fp16", "bf16"]
)
def test_a_resumed_training_ends_with_the_same_bits(how: Acceleration) -> None:
    """The scale of losses, the order of numbers in memory and the kernel of the optimiser go on, too."""
    shelf = Shelf()
    for looks in (2, 5):
        with pytest.raises(Terminated):
            fit("image-classifier", how, shelf, stop_after=looks)
    assert are_same(fit("image-classifier", how, shelf), fit("image-classifier", how))


def test_the_scale_of_losses_is_kept_with_the_state() -> None:
    """After a step that was skipped it is another one, and a resumed training ends alike."""
    shelf = Shelf(each=True)
    whole = fit_line(Ill(9, gradient=True), shelf)
    scales = [saved.tree["scaler"]["scale"] for saved in shelf.saved()][::-1]
    assert scales[7] > scales[8] == scales[-1] >= 1
    shelf.files = shelf.files[11:12]
    assert are_same(fit_line(Ill(gradient=True), shelf), whole)


def fit_line(family: Any, shelf: Shelf) -> Trained:
    """Train it in fp16."""
    return train_networks(
        *(family, points(ill=False), CONFIG),
        device=CPU,
        report=lambda *_: None,
        say=lambda _: None,
        keeper=shelf,
        how=Acceleration("fp16"),
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (PLAIN, Acceleration("fp16", channels_last=True, fused=True)),
        (Acceleration("fp16", channels_last=True, fused=True), PLAIN),
    ],
    ids=["to-more", "to-less"],
)
def test_the_next_attempt_may_compute_in_another_way(before: Acceleration, after: Acceleration) -> None:
    """It runs on another node, with another device. What was learnt goes on, and the optimiser steps as that
    device does it."""
    shelf = Shelf()
    with pytest.raises(Terminated):
        fit("image-classifier", before, shelf, stop_after=5)
    shelf.each = True
    trained = fit("image-classifier", after, shelf)
    assert shelf.passed_over == []
    (group,) = next(shelf.saved()).tree["optimizers"]["classifier"]["param_groups"]
    assert bool(group["fused"]) == after.fused
    assert losses(trained) == pytest.approx(losses(fit("image-classifier")), rel=0.05, abs=0.02)


def test_compiled_networks_learn_the_same() -> None:
    """The trial before the first step leaves no trace. A compiler of torch would look at all modules of this
    process, and cannot read the folders of the tests; those for GPUs have it."""
    with patch.object(torch, "compile", lambda network, **_: network):
        compiled = fit("image-classifier", Acceleration(compiles=True))
    assert compiled.notes == ()
    assert are_same(compiled, fit("image-classifier"))


def test_networks_that_cannot_be_compiled_learn_as_they_are() -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no such kernel")

    with patch.object(torch, "compile", fail):
        trained = fit("image-classifier", Acceleration(compiles=True))
    assert trained.notes == ("compile is left out: RuntimeError: no such kernel",)
    assert are_same(trained, fit("image-classifier"))


def test_the_facts_of_this_cpu_are_found() -> None:
    family, _, examples = FAMILIES["image-classifier"]
    facts = facts_of(CPU, family, examples, 7)
    assert replace(facts, no_compiler="") == ComputeFacts("cpu", precisions=BOTH, has_pictures=True, steps=7)
    with patch("shutil.which", lambda _: None):
        assert facts_of(CPU, family, examples, 7).no_compiler.startswith("there is no C++ compiler")


def test_a_run_tells_how_it_computes_in_its_log_and_card(
    some: dict[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also what of the Model's wishes could not be met, which is a warning in its progress."""
    made = world(tmp_path, some, {"epochs": 1, "batchSize": 32, "width": 4})
    run = load_run(made.store.get(run_uri(ROOT, RUN)))
    asked = {"precision": "bf16", "cudaGraphs": True}
    made.store.put(run_uri(ROOT, RUN), replace(run, accelerate=asked).encode())
    with patch("knoll.trainer.served_files.export_graph", serve_nothing):
        assert train(RUN, made.platform) == 0
    log, card = capsys.readouterr().out, made.version()["README.md"].decode()
    refused = "the Model asks for another choice, but it needs a GPU, and the device is cpu"
    assert "precision is bf16: the Model asks for it\n" in log
    assert f"warning: cudaGraphs is off: {refused}\n" in log
    assert load_progress(made.store.get(progress_uri(ROOT, RUN))).warnings == (
        f"cudaGraphs is off: {refused}",
    )
    assert "- precision bf16: the Model asks for it\n" in card
    assert f"- cudaGraphs off: {refused}" in " ".join(card.split())
