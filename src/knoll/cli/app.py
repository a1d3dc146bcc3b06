"""The command `knoll`, and the table of all verbs, which `kn model` shares. docs/add-a-command.md says how to
add one."""

from typing import Annotated

import typer

from knoll.cli import (
    apply,
    card,
    curve,
    data,
    demo,
    describe,
    dlq,
    dlq_change,
    doctor,
    events,
    families,
    feedback,
    gc,
    logs,
    models,
    platform,
    predict,
    rollout,
    rollout_replay,
    rollout_steer,
    rollout_tree,
    runs,
    upload,
    verify,
    why,
)
from knoll.cli.grammar import PROGRAM
from knoll.cli.options import (
    ClusterOption,
    ContextOption,
    HomeOption,
    KubeconfigOption,
    NamespaceOption,
    PortOption,
)
from knoll.cli.root import Verb, add_verbs, new_root, print_version

__all__ = ["GROUPS", "VERBS", "app", "main"]

_START, _FEED, _LOOK, _USE = "Start here", "Declare and feed", "Look", "Use"

# Words, function, panel of --help. In the order in which a newcomer needs them.
VERBS = (
    Verb("demo", demo.demo, _START, is_local=True),
    Verb("up", platform.up, _START, is_local=True),
    Verb("env", platform.env, _START, is_local=True),
    Verb("families", families.families, _FEED),
    Verb("apply", apply.apply, _FEED),
    Verb("upload", upload.upload, _FEED),
    Verb("delete", apply.delete, _FEED),
    Verb("gc", gc.gc, _FEED),
    Verb("runs", runs.runs, _LOOK),
    Verb("runs logs", logs.logs, _LOOK),
    Verb("runs curve", curve.curve, _LOOK),
    Verb("models", models.models, _LOOK),
    Verb("data", data.data, _LOOK),
    Verb("describe", describe.describe, _LOOK),
    Verb("versions", models.versions, _LOOK),
    Verb("card", card.card, _LOOK),
    Verb("rollout", rollout_tree.rollout, _LOOK),
    Verb("rollout status", rollout.status, _LOOK),
    Verb("rollout pause", rollout_steer.pause, _LOOK),
    Verb("rollout resume", rollout_steer.resume, _LOOK),
    Verb("rollout promote", rollout_steer.promote, _LOOK),
    Verb("rollout abort", rollout_steer.abort, _LOOK),
    Verb("rollout undo", rollout_steer.undo, _LOOK),
    Verb("rollout retry", rollout_steer.retry, _LOOK),
    Verb("rollout approve", rollout_steer.approve, _LOOK),
    Verb("rollout reject", rollout_steer.reject, _LOOK),
    Verb("rollout replay", rollout_replay.replay, _LOOK),
    Verb("events", events.events, _LOOK),
    Verb("dlq list", dlq.list_letters, _LOOK),
    Verb("dlq show", dlq.show, _LOOK),
    Verb("dlq replay", dlq_change.replay, _LOOK),
    Verb("dlq drop", dlq_change.drop, _LOOK),
    Verb("why", why.why, _LOOK),
    Verb("verify", verify.verify, _LOOK),
    Verb("doctor", doctor.doctor, _LOOK),
    Verb("predict", predict.predict, _USE),
    Verb("feedback", feedback.feedback, _USE),
)

GROUPS = {
    "runs": "List the runs, or print the logs or losses of one.",
    "rollout": "See how the version on trial is doing, and steer it.",
    "dlq": "Dead letters: events that no function took. See why, resend them, drop them.",
}

app = new_root(PROGRAM)


@app.callback()
def knoll(
    home: HomeOption = None,
    port: PortOption = None,
    cluster: ClusterOption = None,
    namespace: NamespaceOption = None,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=print_version, is_eager=True)
    ] = False,
) -> None:
    """Data lands in a bucket, a trained model answers.

    See it all in a few minutes:  [bold]knoll demo[/bold]

    By hand: [bold]knoll up[/bold] in one terminal; in another [bold]knoll apply -f model.yaml[/bold],
    [bold]knoll upload MODEL PATH[/bold], [bold]knoll runs -w[/bold], [bold]knoll predict MODEL FILE[/bold].

    On a cluster: [bold]knoll --cluster kubernetes models[/bold], or [bold]kn model list[/bold]. Options for
    the cluster may stand anywhere.

    Exit codes: 0 ok, 1 failure, 2 wrong usage, 3 timed out, 4 not found, 130 interrupted. Every command but
    [bold]knoll demo[/bold] takes [bold]-o json[/bold].
    """


add_verbs(app, PROGRAM, VERBS, GROUPS)


def main() -> None:
    """Entry point of the console script."""
    app()
