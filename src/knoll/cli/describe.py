"""`knoll describe`: everything about one model as it is now."""

import typer

from knoll.cli.arguments import ModelArgument
from knoll.cli.options import Output, OutputOption
from knoll.cli.session import platform_of, print_json, stdout

__all__ = ["describe"]


def describe(
    ctx: typer.Context,
    model: ModelArgument,
    output: OutputOption = Output.table,
) -> None:
    """Show everything about one model: the versions that serve and their part of the traffic, its data, its
    newest run, its revisions and conditions.

    Example: knoll describe digits

    If nothing is trained, look at the lines "Data" and "Waits for": they say what the data waits for, since
    when, and what ends the wait. The line "Answers" names the class whose share in the champion's answers of
    the last seven days differs most from its share in the training data. The line "Moved" names the numbers
    of requests or answers whose distribution has moved away from that of the version's samples.

    JSON: as one of knoll models, and {namespace, createdAt, goldenSet: {uri, digest, files, run,
    pinnedAt, fault}|null, dataWait: {for, have, need, since, until, ends}, run: as one of knoll runs,
    labels: [{version, right, wrong}], drift: {version, answers, answered: CLASS, trained: CLASS, distance,
    hasShifted}|null, facets: [{version, facet, index, bound, requests, hasMoved}], revisions: [{name,
    generation, version, role, percent, tags, ready, reason, createdAt}],
    conditions: [{type, status, reason, message}]}.
    Next: knoll why MODEL, knoll rollout status MODEL
    """
    from knoll.cli.render.description import description_picture
    from knoll.views.description import description_document, read_description

    platform = platform_of(ctx)
    found = read_description(platform, model)
    if output is Output.json:
        print_json(description_document(found))
    else:
        stdout().print(description_picture(found, platform.clock.now()))
