"""The tree of a rollout for a terminal, and the same as plain lines."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.text import Text
from rich.tree import Tree

from knoll.cli.log_bar import log_bar
from knoll.cli.render.arms import arm_words, figure, pairs
from knoll.cli.render.rollouts import replayed_words, rollout_lines, step_line
from knoll.cli.tables import STYLES
from knoll.quoting import escaped
from knoll.rollout.evidence import ArmVerdict
from knoll.views.estimate import Estimate
from knoll.views.rollout_tree import RolloutTree, SideView
from knoll.views.units import age, duration

__all__ = ["news_lines", "tree_lines", "tree_picture"]

_NAME, _OUTCOME, _FIGURES = 11, 5, 17  # columns
_LEAST_BAR, _MOST_BAR = 8, 20
_STYLES = {"fail": "red", "pass": "green"}


def tree_picture(tree: RolloutTree, now: datetime) -> RenderableType:
    """The versions with their traffic, and under the candidate what is judged about it."""
    picture = Tree(Text(escaped(_headline(tree, now)), style="bold"))
    for side in tree.sides:
        branch = picture.add(_side_text(side))
        if side.role == "candidate":
            for name, fact in _facts(tree):
                branch.add(_named(name, fact))
            for arm in _shown_arms(tree):
                branch.add(_Bars(arm.arm, arm.outcome, pairs(arm)))
            if tree.suspicion:
                branch.add(_Bars("suspicion", "", [("E", *tree.suspicion)]))
            for name, fact in _outlook(tree):
                branch.add(_named(name, fact))
    for name, fact in _rest(tree):
        picture.add(_named(name, fact))
    return picture


def tree_lines(tree: RolloutTree, now: datetime) -> tuple[str, ...]:
    """The same where there is no terminal: a line for each fact, its name first."""
    facts = [*_facts(tree), *((one.arm, arm_words(one)) for one in _shown_arms(tree))]
    if tree.suspicion:
        facts.append(("suspicion", "E {} of {}".format(*map(figure, tree.suspicion))))
    named = (f"{name} {fact}" for name, fact in (*facts, *_outlook(tree), *_rest(tree)))
    return (_headline(tree, now), *map(_side_words, tree.sides), *named)


def news_lines(tree: RolloutTree) -> tuple[str, ...]:
    """What is new while a rollout is watched without a terminal: steps, waits, and arms that are decided."""
    decided = (one for one in _shown_arms(tree) if one.outcome != "inconclusive")
    version = tree.rollout.version
    return (*rollout_lines(tree.rollout), *(f"{version} {_decision(one)}" for one in decided))


def _headline(tree: RolloutTree, now: datetime) -> str:
    model = tree.rollout.model
    if model.is_idle:
        return f"{model.name}  {model.phase or 'Idle'}"
    is_shared = model.phase == "Canary" and model.champion
    step = f", step {tree.rollout.step + 1} of {len(tree.steps)}" if is_shared else ""
    since = f" for {age(tree.since, now)}" if tree.since else ""
    return f"{model.name}  {model.phase}{step}: {tree.rollout.percent} %{since}"


def _side_words(side: SideView) -> str:
    return f"{side.role} {side.version} {side.percent} % {side.state}".strip()


def _side_text(side: SideView) -> Text:
    role = f"{side.role:<{_NAME}}"
    percent, state = f"{side.percent:>3} %", escaped(side.state)
    return Text.assemble((role, STYLES.get(side.role, "")), f"{side.version}  {percent}  {state}".rstrip())


def _named(name: str, fact: str) -> Text:
    return Text(escaped(f"{name:<{_NAME}}{fact}"))


def _facts(tree: RolloutTree) -> Iterator[tuple[str, str]]:
    counts, found = tree.rollout.evidence, tree.rollout.comparison
    beside = [f"{counts['errors']} failed", replayed_words(counts), f"{counts['refused']} refused"]
    in_step = f"{tree.in_step} of {tree.min_requests} in this step; " if tree.estimate else ""
    yield "requests", f"{in_step}{counts['requests']} in all, {', '.join(beside)}"
    if found and found.words:
        yield "comparison", found.words


def _outlook(tree: RolloutTree) -> Iterator[tuple[str, str]]:
    found = tree.verdict
    if found:
        others = [one.arm for one in found.arms if not one.judged]
        if others:
            yield "not judged", ", ".join(others)
        yield "verdict", f"{found.outcome}: {found.reason}"
    if found and found.pauses:
        yield "paused by", "answers that have shifted"
    if found and found.is_suspected:
        yield "suspected", "it fails more often than the champion did"
    if tree.estimate:
        yield "needed", _needed(tree.estimate)


def _rest(tree: RolloutTree) -> Iterator[tuple[str, str]]:
    view = tree.rollout
    last = view.decision
    if view.model.is_idle and last:
        yield "last", step_line(last)
    if view.wait:
        yield "waiting", view.wait.told


def _needed(found: Estimate) -> str:
    """The estimate in words: "about 12 requests to the end of the step (13s), 210 to the bake (3m40s)"."""
    in_all = "an unknown number of" if found.in_all is None else f"about {found.in_all:,}"
    step = f"about {found.in_step:,} requests to the end of the step{_in_time(found.step_seconds)}, "
    whole = f"{in_all} requests to the bake{_in_time(found.seconds)}"
    return f"{step if found.in_step else ''}{whole}; {found.rate:.2g} requests/s"


def _in_time(seconds: float | None) -> str:
    return f" ({duration(seconds)})" if seconds else ""


def _shown_arms(tree: RolloutTree) -> list[ArmVerdict]:
    """The arms that have evidence."""
    return [one for one in tree.verdict.arms if one.judged] if tree.verdict else []


def _decision(arm: ArmVerdict) -> str:
    kind, bound = ("E", arm.fail_at) if arm.outcome == "fail" else ("L", arm.pass_at)
    return f"{arm.arm}: {arm.outcome}, {kind} has reached {figure(bound)}"


@dataclass(frozen=True)
class _Bars:
    """An arm on one line, with a bar for each pair of a value and its bound; on a narrow terminal, each bar
    below the name."""

    name: str
    outcome: str
    pairs: list[tuple[str, float, float]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        outcome = "" if self.outcome == "inconclusive" else self.outcome
        name = f"{self.name:<{_NAME}}{outcome:<{_OUTCOME}}", _STYLES.get(outcome, "")
        bar = (options.max_width - _NAME - _OUTCOME) // 2 - _FIGURES - 1
        if bar >= _LEAST_BAR:
            bars = (_bar(*one, min(bar, _MOST_BAR)) for one in self.pairs)
            yield Text.assemble(name, Text(" ").join(bars))
            return
        yield Text.assemble(name)
        for one in self.pairs:
            yield Text.assemble("  ", _bar(*one, max(min(options.max_width - _FIGURES - 2, _MOST_BAR), 0)))


def _bar(name: str, value: float, bound: float, width: int) -> Text:
    told = f"{name} {figure(value)} of {figure(bound)}"
    style = "red" if name == "E" else "green"
    return Text.assemble(f"{told:<{_FIGURES}}", (log_bar(value, bound, width), style))
