"""The DCGAN: exactly the layers that were asked for, and scores that mean what they say."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from knoll.errors import InvalidData
from knoll.families.base import Examples, Files
from knoll.families.dcgan.family import Dcgan
from knoll.families.dcgan.networks import SameConvTranspose, build_discriminator, build_generator
from knoll.families.frechet import diversity, frechet_distance
from knoll.families.pictures import to_png
from knoll.trainer.graph import export_graph
from knoll.trainer.loop import train_networks

FAMILY = Dcgan()
CPU = torch.device("cpu")

GENERATOR = [  # layer, output without the batch, trainable parameters
    ("Linear", (6272,), 100 * 6272),
    ("BatchNorm1d", (6272,), 2 * 6272),
    ("LeakyReLU", (6272,), 0),
    ("Unflatten", (128, 7, 7), 0),
    ("SameConvTranspose", (128, 7, 7), 5 * 5 * 128 * 128),
    ("BatchNorm2d", (128, 7, 7), 2 * 128),
    ("LeakyReLU", (128, 7, 7), 0),
    ("SameConvTranspose", (256, 14, 14), 5 * 5 * 128 * 256),
    ("BatchNorm2d", (256, 14, 14), 2 * 256),
    ("LeakyReLU", (256, 14, 14), 0),
    ("SameConvTranspose", (512, 28, 28), 5 * 5 * 256 * 512),
    ("BatchNorm2d", (512, 28, 28), 2 * 512),
    ("LeakyReLU", (512, 28, 28), 0),
    ("SameConvTranspose", (3, 56, 56), 5 * 5 * 512 * 3),
    ("Tanh", (3, 56, 56), 0),
]
DISCRIMINATOR = [
    ("ZeroPad2d", (3, 59, 59), 0),
    ("Conv2d", (64, 28, 28), 5 * 5 * 3 * 64 + 64),
    ("LeakyReLU", (64, 28, 28), 0),
    ("Dropout", (64, 28, 28), 0),
    ("ZeroPad2d", (64, 31, 31), 0),
    ("Conv2d", (128, 14, 14), 5 * 5 * 64 * 128 + 128),
    ("LeakyReLU", (128, 14, 14), 0),
    ("Dropout", (128, 14, 14), 0),
    ("Flatten", (25088,), 0),
    ("Linear", (1,), 25088 + 1),
]


def described(network: torch.nn.Sequential, batch: torch.Tensor) -> list[tuple[str, tuple[int, ...], int]]:
    layers = []
    for layer in network:
        batch = layer(batch)
        layers.append(
            (type(layer).__name__, tuple(batch.shape[1:]), sum(one.numel() for one in layer.parameters()))
        )
    return layers


@torch.no_grad()
def test_the_layers_are_those_of_the_specification() -> None:
    """Order, output shapes and parameter counts of both networks: 5,185,536 and 234,881 trainable
    parameters."""
    generator, discriminator = build_generator(100), build_discriminator()
    assert described(generator, torch.randn(2, 100)) == GENERATOR
    assert described(discriminator, torch.randn(2, 3, 56, 56)) == DISCRIMINATOR
    assert sum(one.numel() for one in generator.parameters()) == 5_185_536
    assert sum(one.numel() for one in discriminator.parameters()) == 234_881


def test_the_constants_are_those_of_keras() -> None:
    """LeakyReLU 0.3, batch norm epsilon 0.001 and momentum 0.8, which torch calls 0.2, dropout 0.3."""
    layers = [*build_generator(100), *build_discriminator()]
    norms = [layer for layer in layers if isinstance(layer, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d)]
    assert {(layer.eps, layer.momentum) for layer in norms} == {(1e-3, 0.2)}
    assert {layer.negative_slope for layer in layers if isinstance(layer, torch.nn.LeakyReLU)} == {0.3}
    assert {layer.p for layer in layers if isinstance(layer, torch.nn.Dropout)} == {0.3}


def test_the_transposed_convolution_is_the_gradient_of_the_same_convolution() -> None:
    """That is how Keras defines it, so that the uneven padding of stride 2 falls on the same side in both."""
    layer = SameConvTranspose(4, 3, stride=2)
    small = torch.randn(2, 4, 7, 7)
    large = torch.randn(2, 3, 14, 14, requires_grad=True)
    convolved = F.conv2d(F.pad(large, (1, 2, 1, 2)), layer.weight, stride=2)
    (gradient,) = torch.autograd.grad(convolved, large, small)
    assert torch.allclose(layer(small), gradient, atol=1e-5)


def photographs(count: int = 16) -> dict[str, bytes]:
    from skimage import data

    brick = data.brick()
    return {f"{index}.png": to_png(brick[0:90, index * 20 : index * 20 + 70]) for index in range(count)}


def test_pictures_of_any_shape_become_their_middle_square() -> None:
    """Wide pictures lose their sides, grey ones become RGB, and all have 56×56 pixels."""
    wide = np.zeros((56, 112, 3), dtype=np.uint8)
    wide[:, 28:84] = 200
    examples = FAMILY.examples(Files.of({**photographs(8), "wide.png": to_png(wide)}), FAMILY.configure({}))
    pictures = torch.cat([examples.train[0][:], examples.held_out[0][:]])
    assert pictures.shape == (9, 3, 56, 56)
    assert (pictures == 200).flatten(1).all(1).sum() == 1
    with pytest.raises(InvalidData, match="3 pictures"):
        FAMILY.examples(Files.of(photographs(3)), FAMILY.configure({}))


def test_the_two_networks_are_stepped_in_turn_and_the_result_can_be_served() -> None:
    """One epoch on photographs changes both networks, keeps a grid per milestone, scores, and exports a
    graph that agrees."""
    config = FAMILY.configure({"epochs": 1, "batchSize": 8, "latent": 10, "scored": 4, "heldOut": 0.5})
    examples = FAMILY.examples(Files.of(photographs()), config)
    torch.manual_seed(config.seed)
    fresh = FAMILY.build(config, {}).state_dict()
    trained = train_networks(FAMILY, examples, config, device=CPU, report=lambda *_: None, say=lambda _: None)
    changed = {
        name.partition(".")[0]
        for name, value in trained.networks.state_dict().items()
        if not torch.equal(value, fresh[name])
    }
    assert changed == {"generator", "discriminator"}
    assert Image.open(io.BytesIO(trained.pictures[max(trained.pictures)])).size == (4 * 58 + 2, 4 * 58 + 2)
    with torch.no_grad():
        metrics = FAMILY.score(trained.networks, examples, config)
        assert metrics == FAMILY.score(trained.networks, examples, config)
        assert tuple(metrics) == tuple(one.name for one in FAMILY.metrics)
        exam = FAMILY.golden(Files.of(photographs(9)), examples.about, config)
        on_golden = FAMILY.score(trained.networks, exam, config)
    assert set(metrics) == set(on_golden) == {"frechet_pixels", "diversity"}
    assert (len(exam.held_out[0]), on_golden == metrics) == (9, False)
    export = FAMILY.export(trained.networks, examples, config)
    (answers,) = export_graph(export).outputs
    assert answers.shape == (len(export.samples), 3, 56, 56)


def test_the_generators_loss_leaves_no_gradients_in_the_discriminator() -> None:
    """It is computed after the discriminator's step, through a discriminator that is held still and released
    again."""
    config = FAMILY.configure({"latent": 10})
    networks = FAMILY.build(config, {})
    losses = FAMILY.losses(networks, (torch.rand(4, 3, 56, 56) * 2 - 1,), config)
    assert next(losses)[0] == "discriminator"
    name, loss = next(losses)
    loss.backward()  # type: ignore[no-untyped-call]
    assert name == "generator"
    assert all(one.grad is None and one.requires_grad for one in networks["discriminator"].parameters())
    assert all(one.grad is not None for one in networks["generator"].parameters())


def test_the_scores_measure_distance_and_variety() -> None:
    """The Fréchet distance of a set to itself is 0, to the set moved by d it is d²; copies of one picture
    have no diversity."""
    real = torch.randn(200, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert frechet_distance(real, real) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(real, real + torch.tensor([3.0, 4, 0, 0, 0, 0])) == pytest.approx(25)
    assert frechet_distance(real, 2 * real) == pytest.approx(
        float(real.mean(0).square().sum() + torch.cov(real.T, correction=0).trace()), rel=1e-6
    )
    assert diversity(real[:1].repeat(5, 1)) == 0
    assert diversity(2 * real) == pytest.approx(2 * diversity(real))


def test_the_naive_answer_is_the_mean_picture() -> None:
    """It has no variety, and its distance is the spread of the held-out pictures around it."""
    pixels = torch.randint(0, 256, (12, 3, 56, 56), generator=torch.Generator().manual_seed(1))
    train, kept = (part.byte() for part in (pixels[:8], pixels[8:]))
    naive = FAMILY.baseline(Examples((train,), (kept,)), FAMILY.configure({"scored": 5}))
    learnt, unseen = (
        torch.nn.functional.avg_pool2d(part.double() / 127.5 - 1, 7).flatten(1) for part in (train, kept)
    )
    spread = (unseen - learnt.mean(0)).square().sum(1).mean().item()
    assert naive.metrics == pytest.approx({"frechet_pixels": spread, "diversity": 0.0}, rel=1e-5)
