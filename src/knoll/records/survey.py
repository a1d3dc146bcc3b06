"""The survey: which strays the last look through the model bucket has found, so that each is reported
once."""

from dataclasses import dataclass, field
from datetime import datetime

from pydantic import with_config

from knoll.names import join
from knoll.ports import Bucket
from knoll.records.record import LENIENT, Record, Texts, find_hint, overwrite, reader

__all__ = ["Survey", "find_survey", "load_survey", "survey_uri", "write_survey"]


@with_config(LENIENT)
@dataclass(frozen=True)
class Survey(Record):
    """A look at the time `at`. `strays` has the keys, each with the reason. The next look reads the objects
    that were written from `since` on; all of them, if it is ""."""

    at: str
    since: str = ""
    strays: Texts = field(default_factory=dict)


load_survey = reader(Survey, "survey")


def survey_uri(root: str) -> str:
    """URI of the record."""
    return join(root, "survey.json")


def find_survey(bucket: Bucket) -> Survey | None:
    """The last survey; None if there was none, or if its record is a stray itself, or a newer knoll's."""
    try:
        found = find_hint(survey_uri(bucket.root), load_survey, bucket)
        return found if found and datetime.fromisoformat(found.at).tzinfo else None
    except ValueError:
        return None


def write_survey(survey: Survey, bucket: Bucket) -> None:
    """Write a survey over what lies there."""
    overwrite(survey_uri(bucket.root), survey, bucket)
