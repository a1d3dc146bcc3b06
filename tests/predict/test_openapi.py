"""Whatever follows our description of the paths is answered as it says: schemathesis judges."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from knoll.predict.pages import pages
from predict.serving import serving

Files = Callable[..., dict[str, bytes]]


def described() -> Any:
    """The description, with names of a model that is there and of one that is not."""
    document = json.loads(pages(bytes)["/openapi.json"]().body)
    document["components"]["parameters"]["Model"]["schema"] = {"enum": ["shade", "x"]}
    return schemathesis.openapi.from_dict(document)


OPERATIONS = {one.ok().label: one.ok() for one in described().get_all_operations()}


@pytest.fixture(scope="module")
def url(files_of: Files, classifier: Any) -> Iterator[str]:
    with serving("shade", files_of(classifier)) as shade:
        yield shade.url


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_is_described_is_so(url: str, name: str) -> None:
    """Except that a described request is accepted: that depends on the model, which no description of all
    models can say."""
    operation = OPERATIONS[name]
    most = 30 if operation.method == "post" else 4

    @settings(max_examples=most, deadline=None, database=None, derandomize=True)
    @given(operation.as_strategy())
    def ask(case: Any) -> None:
        case.call_and_validate(base_url=url, excluded_checks=[positive_data_acceptance])

    ask()
