"""WAV and FLAC become numbers, or are refused by name, whoever has written them."""

import io
import struct
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import scipy
import soundfile
from scipy.io import wavfile

from knoll.errors import InvalidData
from knoll.sounds.header import read_sound_header
from knoll.sounds.limits import (
    FULL_SCALE,
    HIGHEST_RATE,
    LOWEST_RATE,
    MOST_CHANNELS,
    MOST_CHUNKS,
    MOST_RATIO,
    MOST_SECONDS,
    MOST_SECONDS_OF_ALL,
    RATIO_FROM,
)
from knoll.sounds.mel import log_mel, mel_picture
from knoll.sounds.samples import read_sound, resample, to_wav
from support.sounds import flac, flac_header, tone, wav

SCIPYS = sorted((Path(scipy.__file__).parent / "io/tests/data").glob("*.wav"))
REFUSED = {
    "test-44100Hz-le-1ch-4bytes-early-eof-no-data.wav": "it has a header and no sound",
    "test-44100Hz-le-1ch-4bytes-early-eof.wav": "says 17,640 bytes of sound, and 944 are there",
    "test-44100Hz-le-1ch-4bytes-incomplete-chunk.wav": "it has a header and no sound",
    "test-8000Hz-le-3ch-5S-24bit-inconsistent.wav": "24 bits in 3 channels do not make 4 bytes",
    **{f"test-8000Hz-le-3ch-5S-{bits}bit.wav": f"whole numbers of {bits} bits" for bits in (36, 45, 53, 64)},
}


@pytest.mark.parametrize("path", SCIPYS, ids=lambda path: path.stem)
def test_wavs_of_others_are_read_as_scipy_reads_them_or_refused_by_name(path: Path) -> None:
    if why := REFUSED.get(path.name):
        with pytest.raises(InvalidData, match=why):
            read_sound(path.read_bytes())
        return
    sound = read_sound(path.read_bytes())
    if sound.header.encoding == "ULAW":  # scipy does not read it
        expected, sample_rate = soundfile.read(path)
    else:
        with warnings.catch_warnings(action="ignore"):
            sample_rate, numbers = wavfile.read(path)
        full = {"u": 2.0**7, "f": 1.0}.get(numbers.dtype.kind, 2.0 ** (8 * numbers.dtype.itemsize - 1))
        expected = (numbers.astype(float) - full * (numbers.dtype.kind == "u")) / full
    assert sound.rate == sample_rate
    mixed = expected.reshape(len(expected), -1).mean(axis=1)
    np.testing.assert_allclose(sound.samples, np.clip(mixed, -1, 1), atol=1e-6)


def test_scipy_brings_its_wavs() -> None:
    assert len(SCIPYS) >= 20


@pytest.mark.parametrize(
    ("subtype", "step"),
    [
        ("PCM_U8", 2**-7),
        ("PCM_16", 2**-15),
        ("PCM_24", 2**-23),
        ("PCM_32", 2**-24),
        ("FLOAT", 2**-24),
        ("DOUBLE", 2**-24),
        ("ULAW", 2**-5),
        ("ALAW", 2**-5),
    ],
)
@pytest.mark.parametrize("form", ["WAV", "WAVEX", "RF64"])
def test_each_encoding_in_two_channels_becomes_their_mean(form: str, subtype: str, step: float) -> None:
    body, left = io.BytesIO(), tone()
    soundfile.write(body, np.stack([left, -left / 2], 1), 8000, format=form, subtype=subtype)
    sound = read_sound(body.getvalue())
    assert (sound.rate, sound.header.channels, str(sound.samples.dtype)) == (8000, 2, "float32")
    np.testing.assert_allclose(sound.samples, left / 4, atol=step)


@pytest.mark.parametrize(("subtype", "step"), [("PCM_S8", 2**-7), ("PCM_16", 2**-15), ("PCM_24", 2**-23)])
def test_a_flac_is_read_without_its_tags(subtype: str, step: float) -> None:
    body = flac(tone(), subtype=subtype)
    np.testing.assert_allclose(read_sound(body).samples, tone(), atol=step)


def test_a_flac_of_which_a_bit_has_flipped_is_refused() -> None:
    body = bytearray(flac(tone(1)))
    body[-len(body) // 3] ^= 16
    with pytest.raises(InvalidData, match=r"it is (damaged|cut short)"):
        read_sound(bytes(body))


@pytest.mark.parametrize("body", [flac(tone(1)), to_wav(tone(1), 8000)], ids=["flac", "wav"])
@pytest.mark.parametrize("share", [0.01, 0.5, 0.999])
def test_a_sound_whose_end_is_missing_is_refused(body: bytes, share: float) -> None:
    with pytest.raises(InvalidData, match=r"it is (cut short|damaged|neither)|its header is broken"):
        read_sound(body[: int(share * len(body))])


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "it is empty"),
        (b"hello", "it is neither a WAV nor a FLAC"),
        (b"OggS" + bytes(99), "it is an Ogg; only WAV and FLAC are read"),
        (b"ID3\4" + bytes(99), "it is an MP3; only WAV and FLAC are read"),
        (wav(bytes(8), tag=0x11, bits=4, block=1), "packed as IMA ADPCM, which is not read"),
        (wav(bytes(8), tag=3), "floats of 16 bits"),
        (wav(b""), "it has no sound: its length is 0"),
        (wav(bytes(9)), "its last sample lacks"),
        (wav(bytes(8), length=2**32 - 1), "does not say how long it is"),
        (wav(np.array([0, np.nan], np.float32).tobytes(), tag=3, bits=32), "samples that are no numbers"),
        (flac_header(frames=0) + bytes(9), "does not say how long it is"),
        (flac_header(bits=12) + bytes(9), "of FLAC 8, 16 and 24 are read"),
        (flac_header(), "it has a header and no sound"),
        (flac_header() + bytes(99), "it is (damaged|cut short)"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_what_is_no_sound_is_refused_by_what_it_is(body: bytes, why: str) -> None:
    with pytest.raises(InvalidData, match=why) as caught:
        read_sound(body)
    assert str(caught.value).startswith(("it ", "its "))


@pytest.mark.parametrize("form", ["wav", "flac"])
def test_rates_and_channels_are_read_up_to_the_limits(form: str) -> None:
    def make(rate: int) -> bytes:
        if form == "flac":
            return flac_header(rate=rate, channels=MOST_CHANNELS) + bytes(9)
        return wav(bytes(16 * MOST_CHANNELS), rate=rate, channels=MOST_CHANNELS)

    for rate in (LOWEST_RATE, HIGHEST_RATE):
        body = make(rate)
        found = read_sound_header(io.BytesIO(body), len(body))
        assert (found.rate, found.channels) == (rate, MOST_CHANNELS)
    for rate in (0, LOWEST_RATE - 1, HIGHEST_RATE + 1):
        with pytest.raises(InvalidData, match=f"it has {rate:,} samples a second, and 1,000 to 192,000"):
            read_sound(make(rate))


@pytest.mark.parametrize("channels", [0, MOST_CHANNELS + 1, 65_535])
def test_more_channels_than_the_limit_or_none_are_refused(channels: int) -> None:
    with pytest.raises(InvalidData, match=f"it has {channels:,} channels, and 1 to 8 are read"):
        read_sound(wav(bytes(16), channels=channels))


def test_a_file_sounds_as_long_as_the_limit_and_no_longer() -> None:
    most = MOST_SECONDS * LOWEST_RATE
    waves = [wav(bytes(frames), bits=8, rate=LOWEST_RATE) for frames in (most, most + 1)]
    flacs = [flac_header(frames=frames, rate=LOWEST_RATE) + bytes(9) for frames in (most, most + 1)]
    for whole, long in (waves, flacs):
        assert read_sound_header(io.BytesIO(whole), len(whole)).seconds == MOST_SECONDS
        with pytest.raises(InvalidData, match="seconds, more than 600"):
            read_sound(long)


def test_a_flac_unpacks_to_as_much_as_the_limit_and_no_more() -> None:
    frames = RATIO_FROM // 2
    few = flac_header(frames=frames, rate=48_000) + bytes(9)
    assert read_sound_header(io.BytesIO(few), len(few)).frames == frames
    much = flac_header(frames=2 * frames, rate=48_000)
    with pytest.raises(InvalidData, match="unpacks to more than 1,000 times its size"):
        read_sound(much + bytes(9))
    body = much + bytes(4 * frames // MOST_RATIO + 1)
    assert read_sound_header(io.BytesIO(body), len(body)).frames == 2 * frames


def test_a_header_of_too_many_parts_is_refused() -> None:
    part = b"junk" + struct.pack("<I", 0)
    body = wav(bytes(8))
    for count in (MOST_CHUNKS - 2, MOST_CHUNKS):
        many = body[:12] + part * count + body[12:]
        if count < MOST_CHUNKS:
            assert read_sound(many).rate == 8000
        else:
            with pytest.raises(InvalidData, match="more than 1,000 parts"):
                read_sound(many)


def test_floats_beyond_full_scale_are_clipped_and_those_of_another_scale_are_refused() -> None:
    loud = np.array([0.5, -FULL_SCALE], np.float32)
    assert read_sound(wav(loud.tobytes(), tag=3, bits=32)).samples.tolist() == [0.5, -1]
    with pytest.raises(InvalidData, match="it has samples up to 80, and 1 is full scale"):
        read_sound(wav((10 * loud).tobytes(), tag=3, bits=32))


FORGED = """
import resource, sys
from support.sounds import flac_header, wav
from knoll.errors import InvalidData
from knoll.sounds.samples import read_sound
import struct

def rf64(frames):
    body = wav(bytes(900), length=2**32 - 1)
    wide = struct.pack("<QQQI", 2**63 - 1, 2 * frames % 2**64, frames, 0)
    return b"RF64" + b"\\xff" * 4 + b"WAVEds64" + struct.pack("<I", 28) + wide + body[12:]

forged = {
    "frames of RF64": rf64(2**63 - 1),
    "more of RF64": rf64(2**62),
    "4 GB of sound": wav(bytes(900), length=2**32 - 2),
    "a format of 4 GB": b"RIFF\\0\\0\\0\\0WAVEfmt " + b"\\xf0" * 4 + bytes(900),
    "channels": wav(bytes(900), channels=65_535),
    "0 Hz": wav(bytes(900), rate=0),
    "no block": wav(bytes(900), block=0),
    "blocks of FLAC": flac_header(block=65_535, channels=8, bits=24, frames=65_535) + b"\\xff\\xf8" * 450,
    "frames of FLAC": flac_header(frames=2**36 - 1) + bytes(900),
    "seconds of FLAC": flac_header(frames=600 * 192_000, rate=192_000, channels=8) + b"\\xff\\xf8" * 450,
    "tags of FLAC": b"fLaC" + flac_header()[4:5].replace(b"\\x80", b"\\0") + flac_header()[5:]
    + b"\\x84\\xff\\xff\\xff" + bytes(900),
}
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 200 * 2**20,) * 2)
for name, body in forged.items():
    try:
        read_sound(body)
    except InvalidData:
        continue
    sys.exit(f"{name}: it was read")
"""


def test_forged_headers_take_no_memory() -> None:
    made = subprocess.run(
        [sys.executable, "-c", FORGED],
        cwd=Path(__file__).parents[1],
        env={"PYTHONPATH": str(Path(__file__).parents[1]), "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert made.returncode == 0, made.stderr


@pytest.mark.parametrize("wanted", [1000, 11_025, 16_000, 44_100, 192_000])
def test_a_tone_at_another_rate_is_the_same_tone(wanted: int) -> None:
    made = resample(tone(1, 22_050, 200), 22_050, wanted)
    assert len(made) == wanted
    inner = slice(wanted // 10, -wanted // 10)
    np.testing.assert_allclose(made[inner], tone(1, wanted, 200)[inner], atol=2e-3)


def test_resampling_leaves_no_tone_above_the_new_half_rate() -> None:
    made = resample(tone(1, 48_000, 15_000), 48_000, 16_000)
    assert np.abs(made[1000:-1000]).max() < 1e-3


def test_a_rate_beyond_the_limits_is_never_made() -> None:
    with pytest.raises(ValueError, match="a rate is from 1,000 to 192,000 Hz, not 8,000 or 999"):
        resample(tone(), 8000, LOWEST_RATE - 1)


def test_the_bytes_of_a_wav_come_back_as_its_samples() -> None:
    samples = np.array([0, 0.5, -1, 2], np.float32)
    sound = read_sound(to_wav(samples, 16_000))
    assert sound.rate == 16_000
    np.testing.assert_allclose(sound.samples, np.clip(samples, -1, 1), atol=2**-14)


def test_the_loudest_band_of_a_tone_rises_with_it() -> None:
    low, high = (log_mel(tone(0.5, 16_000, hertz), 16_000) for hertz in (300, 3000))
    assert low.shape == (80, 1 + 8000 // 256)
    assert low[:, 10].argmax() < high[:, 10].argmax()
    picture = mel_picture(tone(0.5, 16_000, 3000), 16_000)
    assert (str(picture.dtype), picture.shape, int(picture.max())) == ("uint8", low.shape, 255)
    assert mel_picture(np.zeros(5, np.float32), 16_000).shape[0] == 80


def test_the_page_of_sounds_has_the_limits() -> None:
    page = Path(__file__).parents[2].joinpath("docs/sounds.md").read_text()
    told = (
        f"samples a second | {LOWEST_RATE:,} to {HIGHEST_RATE:,}",
        f"channels | 1 to {MOST_CHANNELS}",
        f"seconds of a file | {MOST_SECONDS:,}",
        f"seconds of all files | {MOST_SECONDS_OF_ALL:,}",
        f"parts of a header, such as tags | {MOST_CHUNKS:,}",
        f"if all are more than {RATIO_FROM // 2**20}Mi | {MOST_RATIO:,}",
        f"Floats up to {FULL_SCALE:g} are clipped",
    )
    assert [one for one in told if one not in page] == []
