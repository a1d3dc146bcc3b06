"""A trail as a tree, the cause on top."""

from collections.abc import Mapping
from typing import Any

from rich.text import Text
from rich.tree import Tree

from knoll.cli.render.arms import arm_words
from knoll.cli.render.rollouts import step_line
from knoll.quantities import counted
from knoll.quoting import escaped
from knoll.records.rollout import RolloutStep
from knoll.rollout.evidence import arms_from_fields
from knoll.views.run import RunView
from knoll.views.trail import Trail
from knoll.views.units import duration, scores, seconds_between, short_digest, size
from knoll.views.verdicts import LastDecision
from knoll.views.versions import VersionView

__all__ = ["trail_tree"]


def trail_tree(trail: Trail) -> Tree:
    """Event, data, run, gate, version, comparison, rollout steps and verdict, one under the other."""
    version = trail.version.manifest.version if trail.version else "(no version)"
    tree = Tree(Text(f"{trail.model} {version}", style="bold"))
    for line in (_event_line(trail), _data_line(trail), _run_line(trail.run)):
        tree.add(escaped(line))
    if trail.checks:
        _add_checks(tree, trail.checks)
    elif trail.gate:
        tree.add(escaped(_gate_line(trail)))
    if trail.version:
        tree.add(escaped(_version_line(trail.version)))
    if trail.comparison and trail.comparison.words:
        tree.add(escaped(f"compared {trail.comparison.words}"))
    if trail.steps:
        steps = tree.add("rollout")
        for step in trail.steps:
            _add_step(steps, step)
    if trail.version:
        tree.add(escaped(_verdict_line(trail.verdict)))
    return tree


def _add_checks(tree: Tree, checks: Mapping[str, Any]) -> None:
    """Each number that the gate has looked at, with its bounds then."""
    is_refused = any(one.get("fault") for one in checks.values())
    branch = tree.add(f"gate     {'Refused' if is_refused else 'passed'}")
    for name, check in checks.items():
        branch.add(escaped(_check_line(name, check)))


def _add_step(steps: Tree, step: RolloutStep) -> None:
    """A step, and under it the arms that were judged by then."""
    branch = steps.add(escaped(f"{step.at[11:19]} {step_line(step)}"))
    for arm in arms_from_fields(step.verdict):
        branch.add(f"{arm.arm:<11}{arm_words(arm)}")


def _verdict_line(verdict: LastDecision) -> str:
    if not verdict.name:
        return "verdict  none: no rollout has looked at it yet"
    return f"verdict  {verdict.name}: {verdict.reason}"


def _event_line(trail: Trail) -> str:
    if not trail.event:
        return "event    not recorded"
    kind, subject, id, at = (trail.event.get(name, "") for name in ("type", "subject", "id", "time"))
    earlier = f"; a tick saw the data first, at {trail.run.run.created_at}" if trail.late_cause else ""
    return f"event    {kind} {subject} (id {id}) at {at}{earlier}"


def _data_line(trail: Trail) -> str:
    digest = short_digest(trail.run.run.dataset_digest)
    if trail.dataset is None:
        return f"data     {digest}, its snapshot is gone"
    objects = counted(len(trail.dataset.objects), "object")
    return f"data     {digest}: {objects}, {size(trail.bytes)}, under {trail.dataset.prefix}"


def _run_line(view: RunView) -> str:
    took = seconds_between(view.run.created_at, view.outcome.ended_at) if view.outcome else None
    after = f" after {duration(took)}" if took is not None else ""
    bad = f", but {view.version} was {view.verdict.name}" if view.verdict.is_bad else ""
    return f"run      {view.run.id} {view.state}{after}{bad}{f': {view.trouble}' if view.trouble else ''}"


def _gate_line(trail: Trail) -> str:
    value = _number(trail.gate_value)
    if trail.gate.get("goldenSet"):
        value += f" held out, {_number(trail.golden_value)} on the golden set"
    rules = ", ".join(f"{key} {bound}" for key, bound in trail.gate.items() if key != "metric")
    verdict = ": Refused" if trail.run.verdict.name == "Refused" else ""
    return f"gate     {trail.gate.get('metric', '')} {value} ({rules}){verdict}"


def _check_line(name: str, check: Mapping[str, Any]) -> str:
    """As in "accuracy 0.95 (champion 0.97, atLeast 0.9): passed"."""
    told = [f"{one} {_number(value)}" for one, value in check.items() if one not in ("value", "fault")]
    numbers = f" ({', '.join(told)})" if told else ""
    return f"{name} {_number(check.get('value'))}{numbers}: {'refused' if check.get('fault') else 'passed'}"


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4g}"


def _version_line(view: VersionView) -> str:
    state = f"{view.state}: {view.reason}" if view.reason else view.state
    manifest = view.manifest
    files = counted(len(manifest.files), "file")
    told = scores(manifest.metrics, manifest.golden.metrics if manifest.golden else {})
    return f"version  {manifest.version}, {state}; {told}; {files}, {size(view.size)}"
