"""Logs of children that run for months have a largest size."""

from pathlib import Path

from knoll.laptop.log_trimmer import LogTrimmer, trim_log


def test_the_last_whole_lines_stay_and_the_child_goes_on_writing(tmp_path: Path) -> None:
    log = tmp_path / "weed.log"
    with log.open("ab", buffering=0) as child:
        child.write(b"".join(b"line %03d\n" % number for number in range(100)))
        trim_log(log, kept=32)
        child.write(b"line 100\n")
    assert log.read_bytes() == b"line 097\nline 098\nline 099\nline 100\n"


def test_only_large_logs_of_long_lived_children_are_cut(tmp_path: Path) -> None:
    logs = [tmp_path / name for name in ("weed.log", "up.log", "predictors/digits.log", "jobs/run-0.log")]
    for log in logs:
        log.parent.mkdir(exist_ok=True)
        log.write_bytes(b"x" * 1023 + b"\n")
    for log in (logs[0], *logs[2:]):
        with log.open("ab") as file:
            file.write((b"x" * 1023 + b"\n") * 2**14)
    LogTrimmer(tmp_path).work()
    assert [log.stat().st_size for log in logs] == [2**22 - 2**10, 2**10, 2**22 - 2**10, 2**24 + 2**10]
