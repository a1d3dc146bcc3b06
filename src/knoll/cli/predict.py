"""`knoll predict`: ask a model, through the URL that all its clients use."""

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from knoll.cli.arguments import ModelArgument
from knoll.cli.input_file import input_name, read_input
from knoll.cli.interrupts import leaving
from knoll.cli.options import Output, OutputOption
from knoll.cli.output import echo
from knoll.cli.session import errors_out, platform_of, print_json, stdout
from knoll.errors import KnollError, NotFound
from knoll.media_types import JSON, PNG
from knoll.paths import predict_path
from knoll.request_limits import BODY_LIMIT

if TYPE_CHECKING:
    from knoll.ports import Platform, PredictAnswer
    from knoll.views.models import ModelView

__all__ = ["ask", "base_url_of", "curl_line", "predict"]

_FIX = "knoll predict MODEL FILE takes a PNG, a JPEG, JSON or a text"
_COLD = 2.0  # seconds; a warm small model answers in milliseconds


def predict(
    ctx: typer.Context,
    model: ModelArgument,
    file: Annotated[str, typer.Argument(metavar="FILE", help="PNG, JPEG, JSON or .txt; - is stdin.")] = "",
    seed: Annotated[
        int | None,
        typer.Option("--seed", min=0, help="For models that generate: the seed, in place of a file."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE", help="Save the answer; .png asks for a picture.", dir_okay=False
        ),
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Also tell the weight of each word.")] = False,
    output: OutputOption = Output.table,
) -> None:
    """Ask a model for a prediction, and say which version answered.

    Example: knoll predict digits image.png; knoll predict faces --seed 7 --out face.png;
    knoll predict reviews review.txt --explain

    A picture is sent as base64, and a .txt as one text. JSON with `instances` is sent as it is; a list
    becomes the instances, and anything else becomes one instance. JSON: {model, version, seconds,
    predictions, id}; the id is "" if the model answers no classes. Next: knoll feedback MODEL --id ID
    --label LABEL, knoll versions MODEL
    """
    if bool(file) == (seed is not None):
        raise typer.BadParameter("give a FILE or --seed", param_hint="FILE")
    from knoll.client.given import of_bytes, of_seed

    found = of_bytes(input_name(file), read_input(file, BODY_LIMIT, _FIX)) if seed is None else of_seed(seed)
    request = {**found, "explain": True} if explain else found
    wants_png = out is not None and out.suffix.lower() == ".png"
    answer = ask(platform_of(ctx), model, request, accept=PNG if wants_png else JSON)
    if out is not None:
        out.write_bytes(_picture_bytes(answer) if wants_png else answer.body)
    _tell(model, answer, out, output)


def ask(platform: "Platform", model: str, request: dict[str, Any], *, accept: str = JSON) -> "PredictAnswer":
    """Send a predict request to the model's URL. Raises NotFound if nothing serves, KnollError if the answer
    is an error."""
    from knoll.ports import PredictRequest
    from knoll.views.models import find_model

    view, base = find_model(platform, model), base_url_of(platform, model)
    body = json.dumps(request).encode()
    with leaving(f"{model} had not answered yet. The request is given up; it changes nothing."):
        answer = platform.predictors.predict(PredictRequest(base, model, body, accept))
    if answer.status != 200:
        from knoll.client.refusals import told_in

        told = told_in(answer.status, answer.body, place=base)
        raise KnollError(f"predict {model}: {told}", fix=_fix(view, answer, platform))
    return answer


def base_url_of(platform: "Platform", model: str) -> str:
    """The URL of a model that serves. Raises NotFound if nothing does."""
    from knoll.views.models import find_model

    base = find_model(platform, model).base_url
    if not base:
        raise NotFound(f"model {model}: no version serves yet", fix=f"knoll rollout status {model} -w")
    return base


def _fix(model: "ModelView", answer: "PredictAnswer", platform: "Platform") -> str:
    """What helps against an error: if the request is faulty, a right one, or the places that show some."""
    from knoll.client.refusals import example_in
    from knoll.views.versions import place_of_samples

    version = answer.version or model.champion
    if answer.status != 400 or not version:
        return f"knoll rollout status {model.name}; knoll models"
    samples, example = place_of_samples(platform, model.name, version), example_in(answer.body)
    right = f"a right request: {example}; " if example else ""
    return f"{right}docs/families/{model.family}.md says what an instance looks like; {samples} has examples"


def curl_line(url: str, model: str, request: dict[str, Any]) -> str:
    """The same request as a shell line."""
    body = shlex.quote(json.dumps(request))
    return f"curl {url}{predict_path(model)} -H 'Content-Type: {JSON}' -d {body}"


def _tell(model: str, answer: "PredictAnswer", out: Path | None, output: Output) -> None:
    from knoll.cli.prediction_words import picture_of
    from knoll.client.reading import predictions_in

    predictions = predictions_in(answer.body, answer.content_type)
    if output is Output.json:
        print_json(
            {
                "model": model,
                "version": answer.version,
                "seconds": round(answer.seconds, 4),
                "predictions": predictions,
                "id": answer.id,
            }
        )
        return
    if out is None:
        for prediction in predictions:
            stdout().print(picture_of(prediction))
    else:
        echo(f"Saved {out}")
    cold = ", cold start" if answer.seconds > _COLD else ""
    errors_out().print(f"{model} {answer.version} answered in {answer.seconds:.3f} s{cold}")


def _picture_bytes(answer: "PredictAnswer") -> bytes:
    """The bytes of the picture; some predictors send it inside JSON. Raises KnollError if there is none."""
    from knoll.client.reading import picture_bytes, predictions_in

    if answer.content_type.startswith("image/"):
        return answer.body
    found = picture_bytes(next(iter(predictions_in(answer.body, answer.content_type)), None))
    if not found:
        raise KnollError("the answer holds no picture", fix="leave out --out, or save it as .json")
    return found
