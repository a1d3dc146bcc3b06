"""Triggers do on the laptop what they do on Knative; the files in eventing/ bring every event to the
functions that want it."""

from pathlib import Path

import pytest
import yaml

from knoll import events
from knoll.errors import Rejected
from knoll.events import Event
from knoll.laptop.broker.eventing import read_eventing
from knoll.laptop.broker.triggers import Delivery, Filter, Trigger

_EVENTING = Path(__file__).parents[2] / "eventing"
_EVENT = Event(
    "1",
    "/apis/v1/pingsources/knoll-tick",
    "dev.knoll.tick",
    "2026-01-01T00:00:00+00:00",
    extensions={"kind": "Job", "x": "1"},
)

_HOLDS = {"exact": {"type": "dev.knoll.tick"}}
_FAILS = {"exact": {"type": "other"}}
_EMPTY: dict[str, object] = {"all": []}


@pytest.mark.parametrize(
    ("filters", "is_wanted"),
    [
        ([], True),
        ([{}], True),
        ([_EMPTY], True),
        ([_HOLDS], True),
        ([_FAILS], False),
        ([_HOLDS, _FAILS], False),
        ([_HOLDS, {}], True),
        ([{"exact": {"type": "dev.knoll.tick", "kind": "Job"}}], True),
        ([{"exact": {"type": "dev.knoll.tick", "kind": "Pod"}}], False),
        ([{"exact": {"subject": "digits"}}], False),
        ([{"exact": {"specversion": "1.0"}}], True),
        ([{"exact": {"datacontenttype": "application/json"}}], False),
        ([{"prefix": {"type": "dev.knoll."}}], True),
        ([{"prefix": {"type": "knoll"}}], False),
        ([{"prefix": {"subject": "d"}}], False),
        ([{"suffix": {"source": "/pingsources/knoll-tick"}}], True),
        ([{"suffix": {"source": "/pingsources"}}], False),
        ([{"suffix": {"missing": "x"}}], False),
        ([{"all": [_HOLDS, {"prefix": {"kind": "J"}}]}], True),
        ([{"all": [_HOLDS, _FAILS]}], False),
        ([{"any": [_FAILS, _HOLDS]}], True),
        ([{"any": [_FAILS, _FAILS]}], False),
        ([{"any": [_FAILS, _EMPTY]}], False),
        ([{"not": _FAILS}], True),
        ([{"not": _HOLDS}], False),
        ([{"not": {"exact": {"missing": "x"}}}], True),
        ([{"not": _EMPTY}], True),
        ([{"not": {"any": [_FAILS, {"all": [_HOLDS, {"not": _FAILS}]}]}}], False),
    ],
)
def test_filters_hold_as_on_knative(filters: list[dict[str, object]], is_wanted: bool) -> None:
    """All filters must hold; a missing attribute never matches; a filter without conditions decides
    nothing."""
    trigger = Trigger(name="t", subscriber="s", filters=tuple(Filter.model_validate(one) for one in filters))
    assert trigger.matches(_EVENT) is is_wanted


@pytest.mark.parametrize(
    ("attributes", "is_wanted"),
    [
        ({}, True),
        ({"type": "dev.knoll.tick"}, True),
        ({"type": "other"}, False),
        ({"type": "", "kind": ""}, True),
        ({"subject": ""}, False),
        ({"type": "dev.knoll.tick", "kind": "Pod"}, False),
    ],
)
def test_legacy_attributes_match_exactly_or_any_value(attributes: dict[str, str], is_wanted: bool) -> None:
    """The legacy filter compares exactly, and an empty value stands for any value, yet not for a missing
    one."""
    assert Trigger(name="t", subscriber="s", attributes=attributes).matches(_EVENT) is is_wanted


def test_filters_override_legacy_attributes() -> None:
    """With both, only `filters` counts."""
    trigger = Trigger(
        name="t", subscriber="s", filters=(Filter.model_validate(_HOLDS),), attributes={"type": "other"}
    )
    assert trigger.matches(_EVENT)


@pytest.mark.parametrize(
    ("policy", "delay", "pauses"),
    [("exponential", "PT0.2S", [0.2, 0.4, 0.8, None]), ("linear", "PT1M", [0.0, 60.0, 120.0, None])],
)
def test_pauses_grow_as_on_knative_and_end(policy: str, delay: str, pauses: list[float | None]) -> None:
    """Retries are counted from 0: delay · 2^n or delay · n; after `retry` of them there is no more."""
    delivery = Delivery.model_validate({"retry": 3, "backoffPolicy": policy, "backoffDelay": delay})
    assert [delivery.pause(attempts) for attempts in (1, 2, 3, 4)] == pytest.approx(pauses)


_EVERYWHERE = {
    "OBJECT_CREATED": {"ingest"},
    "OBJECT_CHANGED": set(),
    "DATASET_LANDED": {"train"},
    "TRAINING_STARTED": set(),
    "TRAINING_PROGRESSED": set(),
    "TRAINING_SUCCEEDED": {"rollout"},
    "TRAINING_FAILED": {"train"},
    "PREDICTOR_OBSERVED": {"rollout"},
    "ROLLOUT_CONTINUED": {"rollout"},
    "ROLLOUT_STARTED": set(),
    "ROLLOUT_SHIFTED": set(),
    "ROLLOUT_HELD": set(),
    "ROLLOUT_FELLBACK": set(),
    "ROLLOUT_DAMAGED": set(),
    "ROLLOUT_PROMOTED": set(),
    "ROLLOUT_PAUSED": set(),
    "ROLLOUT_RESUMED": set(),
    "ROLLOUT_APPROVED": set(),
    "ROLLOUT_REFUSED": set(),
    "ROLLOUT_ROLLEDBACK": set(),
    "REPORT_DISBELIEVED": set(),
    "HOOK_ANSWERED": set(),
    "PREDICTOR_LABELLED": {"rollout"},
    "PREDICTOR_RECORDED": {"rollout"},
    "INFERENCE_REQUEST": set(),  # for triggers of users
    "INFERENCE_RESPONSE": set(),
    "ROLLOUT_EDITED": set(),
    "PING": set(),  # goes to the sweep without the broker
    "TICK": {"sweep"},
}


def _woken(event: Event) -> set[str]:
    triggers = read_eventing(_EVENTING).triggers
    return {trigger.subscriber.removeprefix("knoll-") for trigger in triggers if trigger.matches(event)}


def test_every_event_of_knoll_wakes_exactly_the_functions_that_want_it() -> None:
    """The files in eventing/ route every type of the vocabulary, and each new type must be entered here."""
    types = {name: getattr(events, name) for name in events.__all__ if name.isupper()}
    assert {name: _woken(Event("1", "/s", type, "")) for name, type in types.items()} == _EVERYWHERE


@pytest.mark.parametrize(
    ("type", "source", "extensions", "functions"),
    [
        ("com.amazonaws.s3.ObjectCreated:CompleteMultipartUpload", "aws:s3", {}, {"ingest"}),
        ("com.amazonaws.s3.ObjectRemoved:Delete", "aws:s3", {}, set()),
        ("dev.knative.apiserver.resource.update", "https://10.0.0.1:443", {"kind": "Job"}, {"train"}),
        (
            "dev.knative.apiserver.resource.update",
            "https://10.0.0.1:443",
            {"kind": "InferenceService"},
            {"rollout"},
        ),
        ("dev.knative.apiserver.resource.update", "https://10.0.0.1:443", {"kind": "Pod"}, {"train"}),
        ("dev.knative.apiserver.resource.update", "https://10.0.0.1:443", {"kind": "Secret"}, set()),
        (
            "google.cloud.storage.object.v1.finalized",
            "//storage.googleapis.com/projects/_/buckets/b",
            {},
            {"notifications"},
        ),
        ("dev.knative.sources.ping", "/apis/v1/namespaces/default/pingsources/knoll-tick", {}, {"sweep"}),
        ("dev.knative.sources.ping", "/apis/v1/namespaces/default/pingsources/another", {}, set()),
    ],
)
def test_events_of_knative_and_s3_wake_their_function(
    type: str, source: str, extensions: dict[str, str], functions: set[str]
) -> None:
    """Object notifications, object changes and pings, as their sources on a cluster send them."""
    assert _woken(Event("1", source, type, "", extensions=extensions)) == functions


def test_our_triggers_retry_and_end_at_the_dead_letters() -> None:
    """Every Trigger in eventing/ has a delivery of its own with retries and the dead-letter sink."""
    declared = read_eventing(_EVENTING)
    assert {(trigger.delivery.retry > 0, trigger.delivery.sink) for trigger in declared.triggers} == {
        (True, "knoll-dead-letters")
    }
    assert [ticker.name for ticker in declared.tickers] == ["knoll-tick"]
    assert {watch.kind for watch in declared.watches} == {"Model", "Job", "Pod", "InferenceService"}


def _folder(tmp_path: Path, *documents: dict[str, object]) -> Path:
    (tmp_path / "all.yaml").write_text(yaml.safe_dump_all(documents), encoding="utf-8")
    return tmp_path


def _broker(**spec: object) -> dict[str, object]:
    return {
        "apiVersion": "eventing.knative.dev/v1",
        "kind": "Broker",
        "metadata": {"name": "default"},
        "spec": spec,
    }


def _trigger(**spec: object) -> dict[str, object]:
    subscriber = {"ref": {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "knoll-train"}}
    whole = {"broker": "default", "subscriber": subscriber, **spec}
    return {
        "apiVersion": "eventing.knative.dev/v1",
        "kind": "Trigger",
        "metadata": {"name": "t"},
        "spec": whole,
    }


def _ping(broker: str = "default", **spec: object) -> dict[str, object]:
    sink = {"ref": {"apiVersion": "eventing.knative.dev/v1", "kind": "Broker", "name": broker}}
    whole = {"sink": sink, **spec}
    return {
        "apiVersion": "sources.knative.dev/v1",
        "kind": "PingSource",
        "metadata": {"name": "p"},
        "spec": whole,
    }


def test_a_trigger_inherits_the_delivery_of_its_broker(tmp_path: Path) -> None:
    """Without a delivery the Broker's holds; with one, only a missing dead-letter sink comes from the
    Broker."""
    sink = {"ref": {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "graveyard"}}
    broker = _broker(
        delivery={"retry": 7, "backoffPolicy": "linear", "backoffDelay": "PT1S", "deadLetterSink": sink}
    )
    second = _trigger(delivery={"retry": 1}) | {"metadata": {"name": "u"}}
    inherited, own = (
        trigger.delivery for trigger in read_eventing(_folder(tmp_path, broker, _trigger(), second)).triggers
    )
    assert (inherited.retry, inherited.backoff_policy, inherited.backoff_delay, inherited.sink) == (
        7,
        "linear",
        1.0,
        "graveyard",
    )
    assert (own.retry, own.sink) == (1, "graveyard")


@pytest.mark.parametrize(
    ("document", "text"),
    [
        (
            _trigger(filters=[{"cesql": "type = 'x'"}]),
            "cannot execute cesql; it knows the dialects exact, prefix",
        ),
        (_trigger(filters=[{"exact": {"type": "a"}, "prefix": {"type": "a"}}]), "one dialect"),
        (_trigger(filters=[{"exact": {"Type": "a"}}]), "attribute names"),
        (_trigger(filters=[{"any": [{"not": {"exakt": {"type": "a"}}}]}]), "exakt"),
        (_trigger(delivery={"retry": 1, "backoffDelay": "0.2"}), "ISO 8601"),
        (_trigger(delivery={"retry": -1}), "spec.delivery.retry"),
        (_trigger(delivery={"retryAfterMax": "PT1S"}), "retryAfterMax"),
        (_trigger(subscriber={"uri": "http://example.test"}), "spec.subscriber"),
        (_trigger(broker="other"), "Broker other"),
        (
            {"apiVersion": "flows.knative.dev/v1", "kind": "Sequence", "metadata": {"name": "s"}},
            "executes Broker, Trigger",
        ),
        (
            {"apiVersion": "eventing.knative.dev/v1beta1", "kind": "Trigger", "metadata": {"name": "t"}},
            "eventing.knative.dev/v1",
        ),
        (_broker(), "exactly one Broker"),
        (_ping(data="now"), "spec.data: must be JSON: line 1, column 1: no value can begin so"),
        (_ping(data="{'a': 1}"), "spec.data: must be JSON: line 1, column 2: texts stand in double quotes"),
        (
            _trigger(delivery={"backoffDelay": "P1X"}),
            r"backoffDelay: write an ISO 8601 duration such as [^\n]*$",
        ),
        (_trigger() | {"metadata": ["t"]}, "Trigger None: metadata.name is missing"),
        (_trigger() | {"spec": ["t"]}, "Trigger t: spec must be an object with fields"),
        (_ping(ceOverrides={"extensions": {"Two Words": "x"}}), "spec.ceOverrides.extensions"),
        (_ping("other"), "sends to other, not to Broker default"),
    ],
)
def test_what_the_laptop_cannot_execute_is_rejected_by_name(
    tmp_path: Path, document: dict[str, object], text: str
) -> None:
    """Nothing is ignored: the error names what is wrong and what is supported."""
    with pytest.raises(Rejected, match=text):
        read_eventing(_folder(tmp_path, _broker(), document))


def test_the_rejection_names_the_file_and_every_fault(tmp_path: Path) -> None:
    """Two faults are told at once, each with its file and object."""
    (tmp_path / "torn.yaml").write_text("kind: [", encoding="utf-8")
    (tmp_path / "latin.yaml").write_bytes(b"kind: caf\xe9")
    (tmp_path / "date.yaml").write_text("kind: 2026-13-45", encoding="utf-8")
    with pytest.raises(Rejected) as raised:
        read_eventing(_folder(tmp_path, _broker(), _trigger(delivery={"retry": "often"})))
    assert "\n  torn.yaml:1:8: not YAML in UTF-8; correct the file\n" in f"{raised.value}\n"
    assert "\n  latin.yaml: not YAML in UTF-8; correct the file\n" in f"{raised.value}\n"
    assert "\n  date.yaml: not YAML in UTF-8; correct the file\n" in f"{raised.value}\n"
    assert "all.yaml: Trigger t: spec.delivery.retry" in str(raised.value)


def test_the_kustomization_deploys_what_the_laptop_reads() -> None:
    """No file in eventing/ works on one side only."""
    kustomization = yaml.safe_load((_EVENTING / "kustomization.yaml").read_text(encoding="utf-8"))
    assert set(kustomization["resources"]) == {path.name for path in _EVENTING.glob("*.yaml")} - {
        "kustomization.yaml"
    }
