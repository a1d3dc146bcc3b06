"""Sounds for families: the files that are sounds, what most of them are, and each at one rate."""

import io
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from threading import Lock
from typing import Any

from knoll.data_files import why_skipped
from knoll.data_kinds import is_sound, no_sound
from knoll.errors import BadFiles, InvalidData
from knoll.families.base import Files
from knoll.sounds.header import SoundHeader, read_sound_header
from knoll.sounds.limits import MOST_SECONDS_OF_ALL
from knoll.sounds.samples import Samples, read_sound

__all__ = ["SoundSurvey", "read_sounds", "sound_keys", "survey_sounds"]

_LONG = 2**22  # samples of a channel, 16 MiB once decoded


@dataclass(frozen=True)
class SoundSurvey:
    """The most common rate in Hz, the `seconds` of all files, and how many files have which rate and number
    of channels."""

    rate: int
    seconds: float
    rates: Mapping[int, int]
    channels: Mapping[int, int]

    @property
    def option(self) -> dict[str, Any]:
        """The option `sounds` of an input or output of the signature, which `knoll data` shows."""
        counts = {"rates": self.rates, "channels": self.channels}
        told = {name: {str(key): one for key, one in some.items()} for name, some in counts.items()}
        return {"rate": self.rate, "seconds": self.seconds, **told}


def sound_keys(keys: Iterable[str]) -> list[str]:
    """The sounds among the keys, sorted. What `why_skipped` knows is left out. Raises BadFiles that names
    files of other kinds."""
    visible = sorted(key for key in keys if why_skipped(key) is None)
    _raise_faults({key: no_sound(key) for key in visible if not is_sound(key)})
    return visible


def survey_sounds(files: Files, keys: Sequence[str]) -> SoundSurvey:
    """What most sounds are, from their headers; of two rates that are as common, the higher one. Raises
    BadFiles that names those which cannot be read, and InvalidData if all are too much together."""
    rates, channels, seconds = Counter[int](), Counter[int](), dict[int, float]()

    def use(number: int, header: SoundHeader) -> None:
        rates[header.rate] += 1
        channels[header.channels] += 1
        seconds[number] = header.seconds

    _raise_faults(files.each(keys, _header, use))
    if not rates:
        raise InvalidData("there is no sound", fix="upload WAV or FLAC")
    if (total := sum(seconds[number] for number in range(len(keys)))) > MOST_SECONDS_OF_ALL:
        raise InvalidData(
            f"all files sound {total:,.0f} seconds, more than {MOST_SECONDS_OF_ALL:,}", fix="use fewer files"
        )
    most = max(rates, key=lambda rate: (rates[rate], rate))
    return SoundSurvey(most, total, dict(sorted(rates.items())), dict(sorted(channels.items())))


def read_sounds(files: Files, keys: Sequence[str], rate: int, use: Callable[[int, Samples], object]) -> None:
    """Call `use` with the number of each sound in `keys` and its samples, (T,), at this rate in Hz, in no
    order. One long sound at a time is decoded. Raises BadFiles that names all broken files."""
    turn = Lock()

    def decode(body: bytes) -> Samples:
        with turn if _header(body).frames > _LONG else nullcontext():
            return read_sound(body, rate).samples

    _raise_faults(files.each(keys, decode, use))


def _header(body: bytes) -> SoundHeader:
    return read_sound_header(io.BytesIO(body), len(body))


def _raise_faults(faults: Mapping[str, str]) -> None:
    if faults:
        raise BadFiles(faults)
