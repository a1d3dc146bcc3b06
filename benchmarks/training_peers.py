"""Plain training loops in torch, as tutorials have them: what our loop is measured against."""

from collections.abc import Mapping
from typing import Any

import torch
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.optim.lr_scheduler import LambdaLR

from knoll.families.base import Examples, Family

__all__ = ["classic_dcgan", "plain_loop"]

_PICTURES = 8  # that a training draws


def plain_loop(family: Family[Any], examples: Examples, config: Any) -> Mapping[str, torch.Tensor]:
    """Train the only network of a family; the weights."""
    torch.manual_seed(config.seed)
    order = torch.Generator().manual_seed(config.seed)
    networks = family.build(config, examples.about)
    (optimizer,) = family.optimizers(networks, config).values()
    count = len(examples.train[0])
    batches = max(1, count // config.batch_size)
    steps = batches * config.epochs
    schedule = LambdaLR(optimizer, lambda taken: family.rate(min(taken / steps, 1.0), config))
    for _ in range(config.epochs):
        networks.train()
        total = torch.zeros(())
        for rows in torch.tensor_split(torch.randperm(count, generator=order), batches):
            batch = family.prepare(tuple(column[rows] for column in examples.train), config)
            batch = family.augment(batch, config)
            _, loss = next(family.losses(networks, batch, config))
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            total += loss.detach()
    return networks.eval().state_dict()


def classic_dcgan(family: Family[Any], examples: Examples, config: Any) -> Mapping[str, torch.Tensor]:
    """Train generator and discriminator with three backward passes a step, and draw as many pictures as our
    loop; the weights."""
    torch.manual_seed(config.seed)
    networks = family.build(config, examples.about)
    generator, discriminator = networks["generator"], networks["discriminator"]
    optimizers = family.optimizers(networks, config)
    pixels = examples.train[0]
    count = len(pixels)
    batches = max(1, count // config.batch_size)
    pictures = {batches * config.epochs * one // _PICTURES for one in range(1, _PICTURES + 1)}
    step = 0
    for _ in range(config.epochs):
        for rows in torch.tensor_split(torch.randperm(count), batches):
            (real,) = family.prepare((pixels[rows],), config)
            discriminator.zero_grad()
            of_real = _loss(discriminator(real), 1.0)
            of_real.backward()
            fake = generator(torch.randn(len(real), config.latent))
            of_fake = _loss(discriminator(fake.detach()), 0.0)
            of_fake.backward()
            optimizers["discriminator"].step()
            generator.zero_grad()
            of_generator = _loss(discriminator(fake), 1.0)
            of_generator.backward()
            optimizers["generator"].step()
            (of_real + of_fake).item(), of_generator.item()
            step += 1
            if step in pictures:
                with torch.no_grad():
                    family.milestone_picture(networks.eval(), examples, config)
                networks.train()
    return networks.state_dict()


def _loss(logits: torch.Tensor, target: float) -> Any:
    return binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))
