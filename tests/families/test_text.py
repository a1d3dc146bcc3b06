"""The family `text-classifier`: from tables and folders of texts to answers."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from families.trainings import Trained, Training
from knoll.errors import BadFiles, InvalidData, InvalidVersion, Rejected
from knoll.families.base import Examples, Files
from knoll.families.text.baselines import regress_words
from knoll.families.text.evidence import bucket, count_ngrams, ngram_keys
from knoll.families.text.family import TextClassifier
from knoll.families.text.network import NgramEvidence
from knoll.families.text.tokens import texts_of
from knoll.predict.graph import Graph
from knoll.records.manifest import version_uri
from knoll.records.rollout import RolloutStep, write_step
from knoll.records.run import find_run
from knoll.records.signature import FileContent, with_files
from knoll.trainer.bad_data import decode_good
from knoll.trainer.champion import open_champion
from knoll.trainer.graph import serve_graph

FAMILY = TextClassifier()
SMALL = {"epochs": 3, "width": 4, "embedding": 4, "vocabulary": 300, "batchSize": 32, "learningRate": 0.02}
_SUBJECTS = ("the film", "this play", "her song", "our day", "a long trip", "the meal")
_SPEECH = {"good": ("lovely", "great", "a joy"), "bad": ("dull", "awful", "a bore")}


def table(rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def opinions(count: int = 120, *head: str) -> list[list[Any]]:
    rows: list[list[Any]] = [[*(head or ("text", "label"))]]
    for number in range(count):
        label = ("good", "bad")[number % 2]
        words = _SPEECH[label][number // 2 % 3]
        rows.append([f"{_SUBJECTS[number % 6]} was {words} {number}", label])
    return rows


def examples_of(files: dict[str, bytes], **config: Any) -> Examples:
    return FAMILY.examples(Files.of(files), FAMILY.configure({"vocabulary": 300, **config}))


@pytest.fixture(scope="module")
def kept() -> dict[str, Training]:
    return {}


def trained_once(trained: Trained, kept: dict[str, Training]) -> Training:
    if not kept:
        kept["it"] = trained(TextClassifier, SMALL, {"a.csv": table(opinions())})
    return kept["it"]


def test_learns_classes_of_texts_and_answers_with_their_probabilities(
    trained: Trained, kept: dict[str, Training]
) -> None:
    training = trained_once(trained, kept)
    assert training.outcome.state == "succeeded", training.outcome.reason
    metrics = training.outcome.metrics
    assert {*metrics} == {one.name for one in FAMILY.metrics}
    assert metrics["accuracy"] > 0.9
    good, bad, strange = training.predict(
        ["A LOVELY trip", {"text": "what an awful day"}, "東京 \0 \u202e" + "word " * 500]
    )
    assert (good["label"], bad["label"]) == ("good", "bad")
    assert sum(strange["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert {*training.version.manifest.slices["recall"]} == {"good", "bad"}


def test_its_tokenizer_is_a_file_of_the_version_and_verified(
    trained: Trained, kept: dict[str, Training]
) -> None:
    training = trained_once(trained, kept)
    assert "tokenizer.json" in training.version.manifest.files
    assert training.version.signature.inputs[0].options["content"].text.startswith("{")
    for sample in training.version.samples:
        assert sample.target == sample.prediction["label"]


def test_the_graph_answers_as_the_network_of_a_version(trained: Trained, kept: dict[str, Training]) -> None:
    """Held-out texts have the metrics of the version; so have those of a version with other tokens."""
    version = trained_once(trained, kept).version
    served = serve_graph(version.signature, version.graph, threads=1)
    rows = opinions()
    same = examples_of({"a.csv": table(rows)})
    config = FAMILY.configure(SMALL)
    assert FAMILY.score_served(served, same, config).metrics == pytest.approx(
        version.manifest.metrics, abs=1e-4
    )
    other = examples_of({"a.csv": table(opinions(80))}, vocabulary=310, tokens=20)
    found = FAMILY.score_served(served, other, config)
    assert found.metrics["accuracy"] > 0.9
    assert {*found.slices["recall"]} == {"good", "bad"}


def test_a_champion_is_asked_by_its_own_tokens(trained: Trained, kept: dict[str, Training]) -> None:
    """They are a file of its version, which must have the bytes that were trained."""
    training = trained_once(trained, kept)
    bucket, version = training.platform.bucket, training.outcome.version
    step = RolloutStep("toy", version, version, 1, "Promote", "2026-01-01T00:00:00+00:00", 100, "")
    write_step(replace(step, champion=version), bucket)
    run = find_run("toy-0123456789", bucket)
    assert run is not None
    served = open_champion(run, training.platform, 1)
    assert (
        served.signature.inputs[0].options["content"]
        == training.version.signature.inputs[0].options["content"]
    )
    place = version_uri(bucket.root, "toy", version) + "tokenizer.json"
    body = bucket.store.get(place)
    bucket.store.put(place, b"{}")
    with pytest.raises(InvalidVersion, match=r"tokenizer\.json has other bytes"):
        open_champion(run, training.platform, 1)
    bucket.store.put(place, body)


def test_a_version_that_keeps_case_is_not_scored_on_texts_without_it(
    trained: Trained, kept: dict[str, Training]
) -> None:
    version = trained_once(trained, kept).version
    (text,) = version.signature.inputs
    cased = examples_of({"a.csv": table(opinions(60))}, lowercase=False)
    assert texts_of(cased.about["tokenizer"]["content"], cased.train[0][:1])[0].startswith(
        ("the", "this", "her")
    )
    options = {**text.options, "lowercase": False, "content": FileContent("{}")}
    signature = type(version.signature)(
        (type(text)(text.name, text.datatype, text.shape, text.codec, options),), version.signature.outputs
    )
    with pytest.raises(Rejected, match="it tells capital letters from small ones"):
        FAMILY.score_served(
            serve_graph(signature, version.graph, threads=1),
            examples_of({"a.csv": table(opinions(60))}),
            FAMILY.configure(SMALL),
        )


def test_numbers_that_are_no_tokens_are_answered(trained: Trained, kept: dict[str, Training]) -> None:
    """Only the predictor makes them; a graph must not fail all the same."""
    version = trained_once(trained, kept).version
    size = version.signature.inputs[0].shape[1]
    shares = Graph(version, 1).run({"text": np.zeros((2, size), np.int32)})["probabilities"]
    assert shares == pytest.approx(np.full((2, 2), 0.5), abs=0.2)


def test_files_in_folders_are_texts_of_the_classes_that_the_folders_name() -> None:
    files = {
        f"data/{label}/{number}.txt": ("\ufeff" * (number == 3) + text).encode(
            "utf-8" if number % 5 else "utf-16"
        )
        for number, (text, label) in enumerate(opinions(40)[1:])
    }
    found = examples_of(files)
    assert found.about["classes"] == ["bad", "good"]
    assert found.notes[0] == "Each file is a text, with 2 classes: bad (20), good (20)."
    assert FAMILY.class_counts(found)["bad"][0] + FAMILY.class_counts(found)["bad"][1] == 20
    assert not any(
        "\ufeff" in one for one in texts_of(found.about["tokenizer"]["content"], found.train[0][:])
    )
    split = {
        f"{'test' if number < 10 else 'train'}/{key[5:]}": body
        for number, (key, body) in enumerate(files.items())
    }
    assert len(examples_of(split).held_out[0]) == 10


@pytest.mark.parametrize(
    ("files", "told"),
    [
        (
            {"a.csv": table(opinions(40)), "good/1.txt": b"x"},
            "it has tables, such as a.csv, and texts, such as good/1.txt",
        ),
        ({"good/1.txt": b"a", "good/2.txt": b"b"}, "only the class good"),
        ({"good/1.txt": b"a", "bad/2.txt": b"b"}, "only one text in class bad, good"),
        ({"1.txt": b"a", "bad/2.txt": b"b"}, "1.txt: it lies in no folder"),
        (
            {"good/1.doc": b"a", "bad/2.txt": b"b"},
            "good/1.doc: it is neither a text, as .txt is, nor a table",
        ),
        (
            {"a/1.txt": b"\xff", "a/2.txt": b" \n", "b/1.txt": b"x" * 131_073, "b/2.txt": b"fine"},
            r"a/1.txt: it is not UTF-8: line 1 has the byte 0xFF.*a/2.txt: it has no text; "
            "b/1.txt: it has 131,073 characters",
        ),
        ({}, "there is no table"),
        ({"a.csv": b"text,label\na,x\nb,x\n"}, "the column label has only the class x"),
    ],
    ids=["mixed", "one class", "lonely", "loose", "other", "bad", "none", "same"],
)
def test_data_that_does_not_fit_is_refused_by_name(files: dict[str, bytes], told: str) -> None:
    with pytest.raises(InvalidData, match=told):
        examples_of(files)


@pytest.mark.parametrize(
    ("head", "config"),
    [
        (("text", "label"), {}),
        (("note", "label"), {"text": "note"}),
        (("note", "kind"), {}),
        (("label", "text"), {"text": "label", "label": "text"}),
    ],
    ids=["usual", "named", "only ones", "turned"],
)
def test_the_columns_are_the_named_ones_or_the_only_ones(
    head: tuple[str, str], config: dict[str, Any]
) -> None:
    found = examples_of({"a.csv": table(opinions(120, *head))}, **config)
    assert found.about["classes"] == ["bad", "good"]
    assert found.notes[0].startswith(f"The texts are those of the column {head[0]}, with 2 classes")


@pytest.mark.parametrize(
    ("rows", "config", "told"),
    [
        (opinions(), {"text": "txt"}, "text names the column txt, which is not there; did you mean text?"),
        (opinions(), {"text": "label"}, "it is not clear which column has the classes of label"),
        (
            opinions(60, "a", "b"),
            {"text": "a", "label": "a"},
            "it is not clear which column has the classes of a",
        ),
        (
            [
                [*row, f"c{number}" if number == 0 else number % 3]
                for number, row in enumerate(opinions(120, "a", "b"))
            ],
            {},
            "it is not clear which column has the classes of a: the data has the columns a, b, c0",
        ),
        (
            [[*row, f"{row[0]}!"] for row in opinions(120, "a", "b")],
            {},
            "it is not clear which column has the texts",
        ),
        (opinions(120)[1:], {}, "it has no names of columns: its first line has good, which is a class"),
    ],
    ids=["unknown", "taken", "twice", "several labels", "several texts", "no names"],
)
def test_columns_that_are_not_clear_are_asked_for(rows: list[Any], config: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidData) as raised:
        examples_of({"a.csv": table(rows)}, **config)
    assert told in str(raised.value)
    assert raised.value.fix


def test_bad_rows_reject_the_run_by_name_or_are_left_out() -> None:
    rows = opinions(200)
    rows[7][0], rows[9][1], rows[11] = " ", "", ["alone"]
    files, config = Files.of({"a.csv": table(rows)}), FAMILY.configure({"vocabulary": 300})

    def decode(some: Files) -> Examples:
        return FAMILY.examples(some, config)

    with pytest.raises(
        InvalidData,
        match=r"3 of 200 rows are bad: a.csv, line 8: text has no text; a.csv, line 10: label has no value; "
        r"a.csv, line 12: it has 1 cells, and the header has 2",
    ):
        decode_good(files, {}, decode, FAMILY.form, 0)
    examples, _ = decode_good(files, {}, decode, FAMILY.form, 0.02)
    assert len(examples.train[0]) + len(examples.held_out[0]) == 197


def test_words_that_stand_for_nothing_in_other_columns_are_texts() -> None:
    lines = [b'{"text": "NA", "label": 0}', b'{"text": 7, "label": 1}', b'{"text": "null", "label": 1.0}']
    found = examples_of({"a.jsonl": b"\n".join([*lines, b'{"text": "x", "label": 0}'])})
    assert found.about["classes"] == ["0", "1"]
    assert len(found.train[0]) + len(found.held_out[0]) == 4


def test_equal_texts_are_on_one_side_wherever_they_lie() -> None:
    head, *rows = opinions(60)

    def held_out(some: list[Any]) -> set[str]:
        found = examples_of({"a.csv": table([head, *some])})
        return {*texts_of(found.about["tokenizer"]["content"], found.held_out[0][:])}

    before = held_out(rows)
    assert before <= held_out([*opinions(90)[61:], *reversed(rows), *rows])


def test_texts_that_do_not_fit_into_memory_are_refused_before_they_are_read() -> None:
    files = Files({"a.csv": 5000}, lambda _: table(opinions()), room=100_000)
    with pytest.raises(InvalidData, match="its 120 texts take 1Mi of memory") as raised:
        FAMILY.examples(files, FAMILY.configure({}))
    assert "resources.memory" in raised.value.fix


def test_a_golden_set_has_the_tokens_and_classes_of_the_data() -> None:
    config = FAMILY.configure({"vocabulary": 300})
    about = examples_of({"a.csv": table(opinions())}).about
    exam = FAMILY.golden(
        Files.of({"good/1.txt": b"lovely", "good/2.txt": b"great", "bad/1.txt": b"dull", "bad/2.txt": b"x"}),
        about,
        config,
    )
    assert exam.held_out[0].shape == (4, about["tokens"])
    assert exam.held_out[1][:].tolist() == [0, 0, 1, 1]
    with pytest.raises(InvalidData, match="it has the classes new, which the data lacks"):
        FAMILY.golden(Files.of({"a.csv": b"text,label\na,new\nb,good\n"}), about, config)
    with pytest.raises(BadFiles, match=r"a.csv, line 3: text has no text"):
        FAMILY.golden(Files.of({"a.csv": b"text,label\na,bad\n,good\n"}), about, config)


TOKENS = torch.tensor([[3, 4, 3, 4, 0], [3, 5, 0, 0, 0], [5, 5, 5, 0, 0]], dtype=torch.int32)


def test_an_ngram_counts_once_for_a_text() -> None:
    counted = count_ngrams(TOKENS, torch.tensor([0, 1, 1]), 2, 10)
    assert dict(zip(counted["keys"], map(tuple, counted["counts"]), strict=True)) == {3: (1, 1), 5: (0, 2)}
    doubled = count_ngrams(TOKENS.repeat(2, 1), torch.tensor([0, 1, 1] * 2), 2, 10)
    assert dict(zip(doubled["keys"], map(tuple, doubled["counts"]), strict=True))[34] == (2, 0)


def evidence_of(counts: dict[int, tuple[int, int]], shares: Sequence[float] = (0.5, 0.5)) -> NgramEvidence:
    ngrams = {"keys": [*counts], "counts": [[*one] for one in counts.values()]}
    return NgramEvidence({"vocabulary": 10, "classes": ["a", "b"], "shares": [*shares], "ngrams": ngrams})


def test_evidence_is_the_log_of_how_much_more_probable_a_class_is_with_an_ngram() -> None:
    """Four texts are added to the counts, spread as the classes are. What was never counted says nothing."""
    found = evidence_of({3: (6, 0), 34: (0, 4)})(TOKENS)
    once, pair = np.log([[8 / 10 / 0.5, 2 / 10 / 0.5], [2 / 8 / 0.5, 6 / 8 / 0.5]])
    assert found.numpy() == pytest.approx(np.array([2 * once + 2 * pair, once, [0, 0]]), abs=1e-5)


def test_a_text_that_is_trained_on_is_left_out_of_the_counts() -> None:
    """It is judged as if it had not been counted."""
    targets = torch.tensor([0, 1, 1])
    found = evidence_of({3: (6, 2), 5: (1, 4)})(TOKENS, targets)
    assert found[0].tolist() == pytest.approx(
        evidence_of({3: (5, 2), 5: (1, 4)})(TOKENS)[0].tolist(), abs=1e-5
    )
    others = evidence_of({3: (6, 1), 5: (1, 3)})(TOKENS)
    assert found[1:].tolist() == [pytest.approx(row, abs=1e-5) for row in others[1:].tolist()]


def test_ngrams_with_one_bucket_are_told_apart() -> None:
    buckets = 1 << 4
    keys = [key for key in range(1, 3000) if int(bucket(torch.tensor(key), buckets)) == 7][:5]
    about = {"vocabulary": 5000, "classes": ["a", "b"], "shares": [0.5, 0.5]}
    evidence = NgramEvidence(
        {**about, "ngrams": {"keys": keys, "counts": [[9, number] for number in range(5)]}}
    )
    assert len(evidence.keys) == buckets
    found = evidence(torch.tensor(keys)[:, None])
    assert len({*found[:4, 1].tolist()}) == 4
    assert found[4].tolist() == [0, 0], "the fifth one finds no bucket, and says nothing"
    assert ngram_keys(torch.tensor([[1, 2, 0]]), 10).tolist() == [[1, 2, 0, 12, 0]]


def test_the_baseline_is_that_of_scikit_learn() -> None:
    """Which has one weight for a word and two classes, where ours has two: so its C is twice ours."""
    rows = opinions(90)[1:]
    texts, labels = [row[0] for row in rows], [int(row[1] == "good") for row in rows]
    learnt, asked = slice(0, 60), slice(60, 90)
    vectors = TfidfVectorizer(token_pattern=r"\w+", sublinear_tf=True).fit(texts[learnt])
    model = LogisticRegression(C=6, tol=1e-8).fit(vectors.transform(texts[learnt]), labels[learnt])
    wanted = model.predict_proba(vectors.transform(texts[asked]))
    found = regress_words(texts[learnt], torch.tensor(labels[learnt]), texts[asked], 2).softmax(1)
    assert found.numpy() == pytest.approx(wanted, abs=1e-3)


def test_the_card_has_both_baselines_and_the_manifest_the_stronger(
    trained: Trained, kept: dict[str, Training]
) -> None:
    training = trained_once(trained, kept)
    body = training.platform.store.get(
        f"{training.platform.bucket.root}/models/toy/{training.outcome.version}/README.md"
    )
    assert (
        "logistic regression on the TF-IDF of words; beside it always the most frequent class"
        in body.decode()
    )
    manifest = training.version.manifest
    assert {*manifest.baseline} == {*manifest.metrics}
    assert manifest.baseline["accuracy"] > 0.5
    assert (
        with_files(training.version.signature, {"tokenizer.json": b"{}"}).inputs[0].options["content"].text
        == "{}"
    )
