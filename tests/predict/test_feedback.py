"""Which labels count: those for answers of this model, each once, whichever of its versions gave them."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from knoll.adapters.memory.clock import MemoryClock
from knoll.predict.answer import Answer
from knoll.predict.feedback import Feedback
from knoll.predict.label_book import LabelBook
from knoll.predict.receipts import new_receipt, receipt_text, short_digest
from knoll.predict.work import Work
from knoll.records.labels import MOST_WINDOWS
from knoll.records.signature import Signature, Tensor

KEY = "k" * 64
DAY = 86_400
_LABELS = [str(digit) for digit in range(10)]
SIGNATURE = Signature((), (Tensor("p", "FP32", (-1, 10), "classes", {"labels": _LABELS}),))


@pytest.fixture
def clock() -> MemoryClock:
    return MemoryClock()


@pytest.fixture
def digits(clock: MemoryClock) -> Feedback:
    """What v000002 of a model of digits does with feedback."""
    return Feedback("digits", "v000002", SIGNATURE, KEY, LabelBook(), clock.now)


def id_of(feedback: Feedback, *answered: str) -> str:
    return feedback.id_of(b"body", answered)["x-knoll-prediction"]


def take(feedback: Feedback, body: Any) -> Answer:
    return feedback.take(json.dumps(body).encode(), {}, Work())


def told(answer: Answer) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(answer.body)
    return found


def counts(feedback: Feedback) -> Mapping[str, tuple[int, int]]:
    """Right and wrong answers of each version."""
    return {
        version: (sum(one[1] for one in windows), sum(one[2] for one in windows))
        for version, windows in feedback.book.windows().items()
    }


def test_an_answer_is_right_or_wrong_by_its_label(digits: Feedback) -> None:
    """A number is the text of it, and what is not known of several instances is left out."""
    assert told(take(digits, {"id": id_of(digits, "7"), "label": "7"})) == {
        "counted": 1,
        "right": 1,
        "wrong": 0,
    }
    take(digits, {"id": id_of(digits, "7"), "label": 1})
    take(digits, {"id": id_of(digits, "1", "2", "3"), "labels": ["1", None, "4"]})
    assert counts(digits) == {"v000002": (2, 2)}


def test_any_version_of_the_model_takes_the_label_of_another_ones_answer(
    digits: Feedback, clock: MemoryClock
) -> None:
    """Also one that has other classes, if the label is that of the answer."""
    champion = replace(digits, version="v000001", book=LabelBook())
    take(champion, {"id": id_of(digits, "7"), "label": "8"})
    letters = Signature((), (Tensor("p", "FP32", (-1, 1), "classes", {"labels": ["a"]}),))
    other = replace(digits, version="v000003", signature=letters)
    take(champion, {"id": id_of(other, "a"), "label": "a"})
    assert counts(champion) == {"v000002": (0, 1), "v000003": (1, 0)}


def test_each_id_counts_once(digits: Feedback) -> None:
    """Whatever label comes with it later; the answer says so."""
    id = id_of(digits, "7")
    assert take(digits, {"id": id, "label": "7"}).status == 200
    for label in ("7", "8"):
        again = take(digits, {"id": id, "label": label})
        assert (again.status, told(again)["error"]) == (
            409,
            "this answer was counted before: each id counts once",
        )
    assert counts(digits) == {"v000002": (1, 0)}


def forged(digits: Feedback) -> dict[str, str]:
    """Ids that no predictor of the model has given."""
    real = id_of(digits, "7")
    model, version, at, nonce, body, answers, proof = real.split(".")
    worse = id_of(digits, "8").split(".")[5]
    receipt = new_receipt("digits", "v000002", int(at, 16), b"body", [short_digest("7")])
    return {
        "other answer": ".".join([model, version, at, nonce, body, worse, proof]),
        "other version": ".".join([model, "v000001", at, nonce, body, answers, proof]),
        "other number": ".".join([model, version, at, "0" * 16, body, answers, proof]),
        "other request": ".".join([model, version, at, nonce, "0" * 16, answers, proof]),
        "no proof": ".".join([model, version, at, nonce, body, answers, "0" * 64]),
        "proof by another key": receipt_text(receipt, "l" * 64),
        "two answers": ".".join([model, version, at, nonce, body, answers + worse, proof]),
        "cut": real[:-1],
        "nothing": "",
        "long": "x" * 100_000,
        "odd": "digits.v000002.\u0661.0.\ud7ff",
    }


def test_a_forged_id_counts_nothing(digits: Feedback) -> None:
    for name, id in forged(digits).items():
        answer = take(digits, {"id": id, "label": "7"})
        assert (answer.status, "is no id of an answer of digits" in told(answer)["error"]) == (400, True), (
            name
        )
        assert len(answer.body) < 1000
    assert not counts(digits)


def test_the_number_that_makes_an_id_used_is_taken_from_real_ids_alone(digits: Feedback) -> None:
    """Else an attacker could use up the id of somebody else's answer."""
    real = id_of(digits, "7")
    take(digits, {"id": real[:-64] + "0" * 64, "label": "7"})
    take(digits, {"id": real, "label": "unknown"})
    take(digits, {"id": real, "labels": ["7", "7"]})
    assert take(digits, {"id": real, "label": "7"}).status == 200


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ([], "it names no id"),
        ({"label": "7"}, "it names no id"),
        ({"id": 7, "label": "7"}, "it names no id"),
        ({"id": "x"}, "give label, or labels"),
        ({"id": "x", "label": "7", "labels": ["7"]}, "give label, or labels"),
        ({"id": "x", "labels": []}, "it has no label"),
        ({"id": "x", "labels": [None]}, "it has no label"),
        ({"id": "x", "label": 0.5}, "a label is a text"),
        ({"id": "x", "label": True}, "a label is a text"),
        ({"id": "x", "label": {}}, "a label is a text"),
        ({"feedback": []}, "feedback is no list"),
        ({"feedback": [{}] * 1001}, "more than 1,000"),
    ],
)
def test_what_is_no_feedback_is_told_what_is(digits: Feedback, body: Any, fault: str) -> None:
    answer = take(digits, body)
    assert (answer.status, fault in told(answer)["error"]) == (400, True), answer


def test_other_models_labels_and_old_answers_are_refused_with_their_reason(
    digits: Feedback, clock: MemoryClock
) -> None:
    id, faces = id_of(digits, "7"), replace(digits, model="faces")
    refusals = [
        take(digits, {"id": id_of(faces, "7"), "label": "7"}),
        take(digits, {"id": id, "label": "seven"}),
        take(digits, {"id": id, "labels": ["7", "7"]}),
    ]
    clock.move(30 * DAY + 60)
    refusals.append(take(digits, {"id": id, "label": "7"}))
    assert [one.status for one in refusals] == [404, 400, 400, 410]
    for one, fault in zip(
        refusals,
        (
            "the id is of an answer of faces, not of digits",
            "'seven' is no class of digits; known: 0, 1, 2",
            "it has 2 labels, and the answer had 1 instances",
            "the answer is older than 30 days",
        ),
        strict=True,
    ):
        assert fault in told(one)["error"]
    assert not counts(digits)


def test_of_a_list_each_sound_entry_counts(digits: Feedback) -> None:
    """The others are named by their place. If none counts, the status is that of the first."""
    id = id_of(digits, "7")
    entries = [{"id": id, "label": "7"}, {"id": id, "label": "7"}, {"id": "x", "label": "7"}, 7]
    found = told(take(digits, {"feedback": entries}))
    assert (found["counted"], found["right"]) == (1, 1)
    assert [(one["index"], one["status"]) for one in found["refused"]] == [(1, 409), (2, 400), (3, 400)]
    again = take(digits, {"feedback": entries[:1]})
    assert (again.status, len(told(again)["refused"])) == (409, 1)


def test_the_copy_of_a_request_compares_both_answers_once(digits: Feedback) -> None:
    """By label, whatever number of a class it has."""
    champion = replace(digits, version="v000001", book=LabelBook())
    for answered, mine in ((["7"], ["7"]), (["7", "1"], ["7", "3"]), (["7"], ["8"])):
        copy = {"x-knoll-compare": champion.id_of(b"{}", answered)["x-knoll-prediction"]}
        for _ in range(3):
            digits.compare(b"{}", copy, mine)
    assert digits.book.compared() == {"v000001": (4, 2)}


def labelled_pair(digits: Feedback, theirs: str, mine: str, truth: str, **headers: str) -> None:
    """Both versions have answered a request, and v000002 is told its true label."""
    champion = replace(digits, version="v000001", book=LabelBook())
    id = champion.id_of(b"{}", [theirs, "1"])["x-knoll-prediction"]
    digits.compare(b"{}", {"x-knoll-compare": id}, [mine, "2"])
    for _ in range(2):
        digits.take(json.dumps({"id": id, "labels": [truth, None]}).encode(), headers, Work())


def test_a_label_of_what_both_have_answered_says_which_one_was_right(digits: Feedback) -> None:
    """Each answer once, also if the feedback comes twice."""
    for theirs, mine, truth in (("7", "7", "7"), ("7", "8", "7"), ("7", "8", "8"), ("7", "8", "9")):
        labelled_pair(digits, theirs, mine, truth)
    assert digits.book.pairs() == {"v000001": {"paired": 4, "only_version": 1, "only_by": 1}}
    assert counts(digits) == {"v000001": (2, 2)}


def test_a_copy_of_feedback_counts_for_pairs_alone(digits: Feedback) -> None:
    """The version that has the request counts the label."""
    labelled_pair(digits, "7", "8", "7", **{"x-knoll-compare": "feedback-copy"})
    assert digits.book.pairs() == {"v000001": {"paired": 1, "only_version": 1, "only_by": 0}}
    assert counts(digits) == {}


def test_an_id_that_both_versions_are_told_counts_once_for_the_version_that_answered(
    digits: Feedback,
) -> None:
    """Whichever of them is asked, with whatever label, while both serve and after a promotion."""
    champion = replace(digits, version="v000001", book=LabelBook())
    id = id_of(champion, "7")
    first, again = ({"id": id, "label": label} for label in ("7", "8"))
    assert take(champion, first).status == 200
    digits.take(json.dumps(first).encode(), {"x-knoll-compare": "feedback-copy"}, Work())
    assert [take(one, again).status for one in (digits, champion)] == [409, 409]
    assert (counts(champion), counts(digits)) == ({"v000001": (1, 0)}, {})
    take(digits, {"id": id_of(digits, "7"), "label": "7"})
    assert counts(digits) == {"v000002": (1, 0)}


def test_a_label_of_what_only_one_has_answered_is_no_pair(digits: Feedback) -> None:
    take(digits, {"id": id_of(replace(digits, version="v000001"), "7"), "label": "7"})
    assert digits.book.pairs() == {}


def test_a_comparison_that_no_version_has_asked_for_counts_nothing(digits: Feedback) -> None:
    """The header may come from anybody: the answer must be another version's, to this very request."""
    champion = replace(digits, version="v000001", book=LabelBook())
    real, own = champion.id_of(b"{}", ["7"])["x-knoll-prediction"], id_of(digits, "7")
    faces = replace(champion, model="faces").id_of(b"{}", ["7"])["x-knoll-prediction"]
    for id in ("", "x", own, faces, real[:-64] + "0" * 64):
        digits.compare(b"{}", {"x-knoll-compare": id}, ["8"])
    digits.compare(b"another", {"x-knoll-compare": real}, ["8"])
    digits.compare(b"{}", {"x-knoll-compare": real}, ["8", "8"])
    digits.compare(b"{}", {"x-knoll-compare": real}, [])
    digits.compare(b"{}", {}, ["8"])
    replace(digits, key="").compare(b"{}", {"x-knoll-compare": real}, ["8"])
    assert digits.book.compared() == {}


def test_answers_without_classes_or_key_or_with_many_instances_have_no_id(digits: Feedback) -> None:
    pictures = replace(digits, signature=Signature((), (Tensor("p", "FP32", (-1, 3), "image"),)))
    without_key = replace(digits, key="")
    assert without_key.id_of(b"", ["7"]) == {} == digits.id_of(b"", ["7"] * 101) == digits.id_of(b"", [])
    for one, fault in ((pictures, "answers no classes"), (without_key, "the platform has no key")):
        answer = take(one, {"id": id_of(digits, "7"), "label": "7"})
        assert (answer.status, fault in told(answer)["error"]) == (404, True)


def test_what_is_remembered_is_bounded_and_no_count_is_lost(digits: Feedback, clock: MemoryClock) -> None:
    """Of many minutes the oldest ones become one."""
    for _ in range(MOST_WINDOWS + 50):
        take(digits, {"id": id_of(digits, "7"), "label": "7"})
        clock.move(60)
    windows = digits.book.windows()["v000002"]
    assert len(windows) == MOST_WINDOWS
    assert windows[0][:2] == (0, 51)
    assert counts(digits) == {"v000002": (MOST_WINDOWS + 50, 0)}
