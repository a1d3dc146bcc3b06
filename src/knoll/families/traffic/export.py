"""The served network answers with quantiles; its samples are held-out histories, and pictures show them."""

import io
from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import nn

from knoll.codecs.series import SERIES, moment_text
from knoll.codecs.series_picture import draw_forecast
from knoll.families.base import Examples, Export, ExportPart, device_of, draw_rows
from knoll.families.traffic.declaration import TrafficConfig
from knoll.families.traffic.network import ServedForecast, TrafficNetwork
from knoll.records.signature import Signature, Tensor

__all__ = ["TrafficExport"]


class TrafficExport(ExportPart[TrafficConfig]):
    """A history of each series in, the quantiles of each step out."""

    def export(self, networks: nn.ModuleDict, examples: Examples, config: TrafficConfig) -> Export:
        """The network, with what it knows of the data in its signature."""
        about, (windows, _, begins) = examples.about, draw_rows(*examples.held_out)
        signature = _signature(about, config)
        network = cast(TrafficNetwork, networks["forecast"].cpu().eval())
        rows = zip(windows, begins.tolist(), strict=True)
        return Export(
            module=ServedForecast(network, is_positive=about["is_positive"]).eval(),
            signature=signature,
            samples=tuple(_sample(window, begin, signature.inputs[0]) for window, begin in rows),
            sample_inputs=(windows,),
        )

    def milestone_picture(
        self, networks: nn.ModuleDict, examples: Examples, config: TrafficConfig
    ) -> bytes | None:
        """A held-out forecast in the middle, with what came true as points."""
        middle = torch.tensor([len(examples.held_out[0]) // 2])
        window, targets = (one[middle] for one in examples.held_out[:2])
        network = cast(TrafficNetwork, networks["forecast"])
        served = ServedForecast(network, is_positive=examples.about["is_positive"])
        (answer,) = served(window.to(device_of(networks))).float().cpu()
        truth = torch.where(targets[0, ..., 1] > 0.5, targets[0, ..., 0], torch.nan)
        body = io.BytesIO()
        (tensor,) = _signature(examples.about, config).outputs
        draw_forecast(answer.numpy(), tensor, truth.numpy()).save(body, "PNG")
        return body.getvalue()

    def final_pictures(
        self, networks: nn.ModuleDict, examples: Examples, config: TrafficConfig
    ) -> Mapping[str, bytes]:
        """The same forecast."""
        picture = self.milestone_picture(networks, examples, config)
        return {"forecast.png": picture} if picture else {}


def _signature(about: Mapping[str, Any], config: TrafficConfig) -> Signature:
    names, events = [one["name"] for one in about["series"]], about["events"]
    options = {
        "names": names,
        "events": events,
        "usual": [_number(float(f"{one['center']:.6g}")) for one in about["series"]],
        "step": about["step"],
        "offset": about["offset"],
        "zoned": about["is_zoned"],
        "latest": about["to"],
        "history": config.history,
        "horizon": config.horizon,
    }
    told = {"names": names, "step": about["step"], "quantiles": [*config.quantiles]}
    rows, steps = len(names) + 2 + len(events), config.history + config.horizon
    answers = (-1, len(names), config.horizon, len(config.quantiles))
    return Signature(
        (Tensor("window", "FP32", (-1, rows, steps, 2), SERIES.name, options),),
        (Tensor("forecast", "FP32", answers, SERIES.name, told),),
    )


def _sample(window: torch.Tensor, begin: int, tensor: Tensor) -> Mapping[str, Any]:
    """The sample of a window (S + 2 + E, H + F, 2) that tells what comes from the time `begin` on."""
    past, step, names = tensor.options["history"], tensor.options["step"], tensor.series
    is_zoned = tensor.options["zoned"]
    history = {
        name: [_number(value) if known else None for value, known in row.tolist()]
        for name, row in zip(names, window[:, :past], strict=False)
    }
    found: dict[str, Any] = {"time": moment_text(begin - step, is_zoned=is_zoned), "history": history}
    first = begin - past * step
    events = {
        name: [moment_text(first + step * place, is_zoned=is_zoned) for place in _on(row)]
        for name, row in zip(tensor.options["events"], window[len(names) + 2 :, :, 0], strict=True)
    }
    return found | (
        {"events": some} if (some := {name: times for name, times in events.items() if times}) else {}
    )


def _on(row: torch.Tensor) -> Sequence[int]:
    found: list[int] = (row > 0.5).nonzero()[:, 0].tolist()
    return found


def _number(value: float) -> float:
    return int(value) if value.is_integer() and abs(value) < 2**53 else value
