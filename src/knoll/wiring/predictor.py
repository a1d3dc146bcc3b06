"""Entry point of the predictor image: `knoll-predictor --model NAME` with the place of the version.

ONNX Runtime and the server are imported while the version is fetched.
"""

import argparse
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from knoll.errors import Rejected
from knoll.predict.loading import Keep, fetch_version, read_version
from knoll.settings import read_settings
from knoll.wiring.logs import escape_logs
from knoll.wiring.platform import process_platform

if TYPE_CHECKING:
    from knoll.predict.predictor import Around

__all__ = ["main"]


def main() -> None:
    """Serve one version until SIGTERM. If it must not be served, exit and say why."""
    escape_logs()
    parser = argparse.ArgumentParser(prog="knoll-predictor", description=__doc__.partition("\n")[0])
    parser.add_argument("--model", required=True, help="name under which the version answers")
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--version-uri", help="s3:// folder of a version of that model, ending with a slash")
    place.add_argument(
        "--model-dir",
        type=Path,
        help="local folder with the files of a version, as KServe's storage initializer leaves them",
    )
    parser.add_argument("--manifest-sha256", default="", help="the only manifest.json that may be served")
    parser.add_argument(
        "--custom", default="", metavar="MODULE:CLASS", help="a kserve.Model of yours that answers for it"
    )
    given = parser.parse_args()
    settings = read_settings()
    platform = process_platform(settings)
    keep, around = _custom(given.custom) if given.custom else (None, None)
    pin, keys = given.manifest_sha256, settings.verify_key
    if given.model_dir:
        fetch = partial(read_version, given.model_dir, pin, keys, keep)
    else:
        fetch = partial(fetch_version, platform.store, given.version_uri, given.model, pin, keys, keep)
    pool = ThreadPoolExecutor(1)
    fetching = pool.submit(fetch)
    pool.shutdown(wait=False)
    from knoll.predict.predictor import serve

    serve(given.model, fetching.result, platform, settings.listen_port, around)


def _custom(named: str) -> "tuple[Keep, Around]":
    """What takes the files of the version, and what puts the class before it. Only now kserve is imported."""
    from knoll.predict.custom.found import CustomClass
    from knoll.predict.predictor import fail

    try:
        found = CustomClass(named)
    except Rejected as error:
        fail(error)
    from knoll.predict.custom.served import custom_served

    return found.keep, partial(custom_served, found)


if __name__ == "__main__":
    main()
