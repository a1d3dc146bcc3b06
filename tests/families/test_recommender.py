"""The family `recommender`: from who took what to what they may like next."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pytest
import torch

from families.trainings import Trained, Training
from knoll.errors import InvalidData
from knoll.families.base import Examples, Files
from knoll.families.recommender.family import Recommender
from knoll.families.recommender.neighbours import baskets, co_counts, largest, weights_of
from knoll.trainer.bad_data import decode_good
from knoll.trainer.graph import serve_graph

FAMILY = Recommender()
SMALL: dict[str, Any] = {
    "history": 8,
    "minUsers": 2,
    "minItems": 3,
    "neighbours": 4,
    "regularization": 2.0,
    "width": 4,
    "negatives": 6,
    "top": 3,
    "epochs": 3,
    "batchSize": 16,
}
KINDS = {"tea": ["cup", "pot", "leaves", "sieve"], "garden": ["rake", "spade", "seeds", "gloves"]}


def table(rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def purchases(users: int = 60) -> list[list[Any]]:
    """Each user takes the items of one kind, each in another order. The rows are not in the order of time."""
    rows: list[list[Any]] = []
    for number in range(users):
        items = [*KINDS.values()][number % 2]
        for place in range(4):
            rows.append([f"u{number}", items[(place + number // 2) % 4], f"2026-01-0{place + 1}"])
    return [["user", "item", "time"], *reversed(rows)]


def examples_of(files: dict[str, bytes], **config: Any) -> Examples:
    return FAMILY.examples(Files.of(files), FAMILY.configure({**SMALL, **config}))


@pytest.fixture(scope="module")
def kept() -> dict[str, Training]:
    return {}


def trained_on_purchases(trained: Trained, kept: dict[str, Training]) -> Training:
    """Train once for several tests."""
    if "purchases" not in kept:
        kept["purchases"] = trained(Recommender, SMALL, {"rows.csv": table(purchases())})
    return kept["purchases"]


def test_learns_what_goes_together_and_recommends_what_a_user_lacks(
    trained: Trained, kept: dict[str, Training]
) -> None:
    training = trained_on_purchases(trained, kept)
    assert training.outcome.state == "succeeded", training.outcome.reason
    assert set(training.outcome.metrics) == {"hit_rate", "ndcg"}
    known, basket, one = training.predict([{"user": "u0"}, {"items": ["rake", "seeds", "spade"]}, ["cup"]])
    assert known["items"][0] == "sieve"
    assert basket["items"][0] == "gloves"
    assert {*one["items"]} == {"pot", "leaves", "sieve"}
    assert one["scores"] == sorted(one["scores"], reverse=True)


def test_who_has_nothing_gets_what_is_popular(trained: Trained, kept: dict[str, Training]) -> None:
    (answer,) = trained_on_purchases(trained, kept).predict([{"items": []}])
    assert len(answer["items"]) == 3


def test_the_graph_is_scored_as_its_network_also_beside_other_items(
    trained: Trained, kept: dict[str, Training]
) -> None:
    version = trained_on_purchases(trained, kept).version
    served, config = serve_graph(version.signature, version.graph, threads=1), FAMILY.configure(SMALL)
    found = FAMILY.score_served(served, examples_of({"rows.csv": table(purchases())}), config)
    assert found.metrics == pytest.approx(version.manifest.metrics)
    renamed = [[user, "a new one" if item == "cup" else item, time] for user, item, time in purchases()]
    other = FAMILY.score_served(served, examples_of({"rows.csv": table(renamed)}), config)
    assert 0 < other.metrics["hit_rate"] < 1


def test_the_last_item_of_each_user_is_held_out_and_never_counted() -> None:
    examples = examples_of({"rows.csv": table(purchases())})
    names = examples.about["items"]
    learnt = {name: [names[one - 1] for one in row if one] for name, row in examples.about["users"].items()}
    assert learnt["u0"] == ["cup", "pot", "leaves"]
    assert [names[one - 1] for one in examples.held_out[1][:2][:, 0]] == ["sieve", "gloves"]
    assert (examples.train[0][:1] > 0).sum() == 3


def test_what_was_taken_twice_counts_once_at_its_first_time() -> None:
    rows = [*purchases(), ["u0", "pot", "2026-02-01"], ["u0", "pot", "2026-02-02"]]
    assert examples_of({"rows.csv": table(rows)}).about == examples_of({"a.csv": table(purchases())}).about


def test_without_times_the_order_of_the_rows_counts() -> None:
    rows = [row[:2] for row in purchases()]
    examples = examples_of({"rows.csv": table([rows[0], *reversed(rows[1:])])})
    assert examples.about == examples_of({"a.csv": table(purchases())}).about


def test_rare_items_and_users_are_left_out_and_counted() -> None:
    rows = [*purchases(), *([f"u{number}", "a rare one", "2026-03-01"] for number in (1, 2))]
    examples = examples_of({"rows.csv": table([*rows, ["new", "cup", "2026-01-01"]])}, minUsers=5)
    assert "a rare one" not in examples.about["items"]
    assert "new" not in examples.about["users"]
    assert examples.notes == (
        "60 users have taken 240 times one of 8 items; 1 items that too few have taken are left out",
    )


@pytest.mark.parametrize(
    ("rows", "config", "told"),
    [
        (
            purchases(),
            {"user": "who"},
            "it has no column who: it has user, item, time; set user in the config",
        ),
        (purchases(), {"time": "when"}, "it has no column when"),
        (purchases(4), {"minUsers": 50}, "0 users have taken 3 items or more that 50 users or more"),
    ],
    ids=["user", "time", "few"],
)
def test_data_that_does_not_fit_is_refused(rows: list[list[Any]], config: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidData, match=told):
        examples_of({"rows.csv": table(rows)}, **config)


def test_items_that_do_not_fit_into_memory_are_refused_before_they_are_counted() -> None:
    body = table(purchases())
    files = Files({"rows.csv": len(body)}, {"rows.csv": body}.__getitem__, room=1000)
    with pytest.raises(InvalidData, match=r"raise spec\.training\.resources\.memory"):
        FAMILY.examples(files, FAMILY.configure(SMALL))


def test_bad_rows_reject_the_run_by_name_or_are_left_out() -> None:
    rows = purchases(200)
    rows[5][0], rows[9][1], rows[13][2] = "", "NA", "soon"
    files, config = Files.of({"a.csv": table(rows)}), FAMILY.configure(SMALL)

    def decode(some: Files) -> Examples:
        return FAMILY.examples(some, config)

    with pytest.raises(
        InvalidData,
        match=r"3 of 800 rows are bad: a.csv, line 6: user has no value; a.csv, line 10: item has no value; "
        r"a.csv, line 14: time is 'soon', neither a time nor a number",
    ):
        decode_good(files, {}, decode, FAMILY.form, 0)
    examples, _ = decode_good(files, {}, decode, FAMILY.form, 0.01)
    assert examples.bad_rows.bad == 3


def test_a_golden_set_has_the_items_of_the_data() -> None:
    about = examples_of({"rows.csv": table(purchases())}).about
    config = FAMILY.configure(SMALL)
    rows = [["user", "item"], ["x", "cup"], ["x", "unheard of"], ["x", "pot"], ["y", "rake"]]
    found = FAMILY.golden(Files.of({"a.csv": table(rows)}), about, config)
    assert found.held_out[0][:].tolist() == [[0] * 7 + [about["items"].index("cup") + 1]]
    assert found.held_out[1][:][:, 0].tolist() == [about["items"].index("pot") + 1]
    with pytest.raises(InvalidData, match="no user has taken two items"):
        FAMILY.golden(Files.of({"a.csv": table([*rows[:2], rows[4]])}), about, config)


def test_the_weights_are_those_of_a_regression_of_each_item_on_all_others() -> None:
    """The closed form is a ridge regression without the item itself; solved here column by column."""
    histories = torch.randint(0, 7, (40, 5), generator=torch.Generator().manual_seed(1))
    taken = baskets(histories, 6)
    assert torch.equal(co_counts(histories, 6), taken.T @ taken)
    weights = weights_of(co_counts(histories, 6), 3.0).numpy()
    table_of = taken.numpy().astype(float)
    for item in range(1, 7):
        others = [one for one in range(1, 7) if one != item]
        some = table_of[:, others]
        wanted = np.linalg.solve(some.T @ some + 3 * np.eye(5), some.T @ table_of[:, item])
        np.testing.assert_allclose(weights[others, item], wanted, atol=1e-4)
    columns, values = largest(torch.tensor([[0.0, -3.0, 2.0], [1.0, 0.0, 0.5]]), 2)
    assert (columns.tolist(), values.tolist()) == ([[1, 2], [0, 2]], [[-3.0, 2.0], [1.0, 0.5]])


def test_a_step_asks_for_what_came_after_what_it_shows() -> None:
    histories = torch.tensor([[0, 0, 0, 1, 2, 3, 4, 5]] * 50, dtype=torch.int32)
    config = FAMILY.configure({**SMALL, "itemDropout": 0.0})
    seen, following = FAMILY.augment((histories, torch.zeros(50, 16, dtype=torch.int32)), config)
    for one, other in zip(seen.tolist(), following.tolist(), strict=True):
        assert [*filter(None, one), *filter(None, other)] == [1, 2, 3, 4, 5]
        assert one[-1] > 0 < other[0]


def test_the_baselines_are_popular_items_and_those_of_similar_users() -> None:
    examples, config = examples_of({"rows.csv": table(purchases())}), FAMILY.configure(SMALL)
    found = FAMILY.baseline(examples, config)
    assert found.metrics["hit_rate"] == 1.0  # of eight items each has three, and five are left
    assert "by their cosine; beside it always the most popular items have hit_rate" in found.what
