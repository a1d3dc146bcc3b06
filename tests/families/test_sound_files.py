"""What a family that takes sounds asks of its files."""

import pytest

from knoll.data_layout import Form, bad_names, fault_of
from knoll.errors import BadFiles, InvalidData
from knoll.families import sound_files
from knoll.families.base import Files
from knoll.families.sound_files import read_sounds, sound_keys, survey_sounds
from knoll.sounds.samples import Samples, to_wav
from support.sounds import flac, tone, wav

SOUNDS = {
    "a/1.wav": to_wav(tone(1, 16_000), 16_000),
    "a/2.FLAC": flac(tone(0.5, 8000)),
    "b/3.wav": to_wav(tone(0.25, 16_000), 16_000),
}


def test_a_form_of_sounds_takes_wav_and_flac_in_folders_or_without() -> None:
    keys = ["a/1.wav", "a/2.FLAC", "b/3.mp3", "d.zip"]
    assert bad_names(keys, Form(takes_sounds=True)) == {"b/3.mp3": "it is no sound: only .wav and .flac are"}
    assert "b/3.mp3: it is no sound" in fault_of(keys, Form(takes_sounds=True))
    assert fault_of(["a/1.wav", "b/2.flac"], Form(takes_sounds=True, has_classes=True)) == ""
    assert "in no folder" in fault_of(["1.wav"], Form(takes_sounds=True, has_classes=True))


def test_the_sounds_of_a_dataset_are_read_at_the_rate_of_most() -> None:
    files = Files.of(SOUNDS)
    keys = sound_keys([*SOUNDS, "a/.1.wav.swp", "a/._1.wav"])
    assert keys == sorted(SOUNDS)
    found = survey_sounds(files, keys)
    assert (found.rate, found.seconds, found.rates, found.channels) == (
        16_000,
        1.75,
        {8000: 1, 16_000: 2},
        {1: 3},
    )
    made: dict[int, Samples] = {}
    read_sounds(files, keys, found.rate, made.__setitem__)
    assert {number: len(one) for number, one in made.items()} == {0: 16_000, 1: 8000, 2: 4000}


def test_each_bad_sound_is_named_with_what_it_is() -> None:
    files = Files.of({**SOUNDS, "c.wav": b"OggS" + bytes(60), "d.wav": wav(bytes(8), rate=0)})
    with pytest.raises(BadFiles) as caught:
        survey_sounds(files, [*files])
    assert caught.value.faults == {
        "c.wav": "it is an Ogg; only WAV and FLAC are read: save it as WAV or FLAC",
        "d.wav": "it has 0 samples a second, and 1,000 to 192,000 are read: resample it",
    }
    with pytest.raises(BadFiles, match=r"e.mp3: it is no sound"):
        sound_keys(["e.mp3"])
    damaged = Files.of({"f.flac": flac(tone(1))[:-99]})
    survey_sounds(damaged, ["f.flac"])
    with pytest.raises(BadFiles, match=r"f.flac: it is (damaged|cut short)"):
        read_sounds(damaged, ["f.flac"], 8000, lambda number, samples: None)


def test_all_sounds_together_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sound_files, "MOST_SECONDS_OF_ALL", 1.75)
    survey_sounds(Files.of(SOUNDS), [*SOUNDS])
    monkeypatch.setattr(sound_files, "MOST_SECONDS_OF_ALL", 1.74)
    with pytest.raises(InvalidData, match="all files sound 2 seconds"):
        survey_sounds(Files.of(SOUNDS), [*SOUNDS])
    with pytest.raises(InvalidData, match="there is no sound"):
        survey_sounds(Files.of({}), [])
