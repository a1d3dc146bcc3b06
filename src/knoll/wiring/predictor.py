"""Entry point of the predictor image: `knoll-predictor --model NAME --version-uri URI`, inside a revision."""

import argparse

from knoll.predict.server import serve
from knoll.settings import read_settings
from knoll.wiring.platform import service_platform

__all__ = ["main"]


def main() -> None:
    """Serve one version until SIGTERM; exit with a reason when it must not be served."""
    parser = argparse.ArgumentParser(prog="knoll-predictor", description=__doc__)
    parser.add_argument("--model", required=True, help="name under which the version answers")
    parser.add_argument("--version-uri", required=True, help="s3:// folder of the version, ending with a slash")
    given = parser.parse_args()
    settings = read_settings()
    serve(given.model, given.version_uri, service_platform(settings), settings.listen_port)


if __name__ == "__main__":
    main()
