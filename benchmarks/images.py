"""The images of the peers, built by the same tool as the images of knoll. A tag is a digest of the folder."""

import hashlib
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "images"))

from build import ARGUMENTS, BUILDERS, works  # noqa: E402 - a script beside the Dockerfiles

__all__ = ["build_go", "build_kserve"]

_HERE = Path(__file__).parent


def build_kserve(environment: Mapping[str, str]) -> str:
    """Build a stock kserve model server. Returns the name of its image."""
    return _build("kserve", _HERE / "kserve", environment)


def build_go(environment: Mapping[str, str]) -> str:
    """Compile the trivial service here, and build its image. Returns its name, or "" if there is no go."""
    if shutil.which("go") is None:
        return ""
    folder = ROOT / "build" / "benchmarks" / "go"
    shutil.copytree(_HERE / "go", folder, dirs_exist_ok=True)
    compiling = ["go", "build", "-trimpath", "-ldflags", "-s -w", "-o", "server", "main.go"]
    subprocess.run(
        compiling, cwd=folder, env={**environment, "CGO_ENABLED": "0"}, stdout=sys.stderr, check=True
    )
    return _build("go", folder, environment)


def _build(name: str, folder: Path, environment: Mapping[str, str]) -> str:
    built = (
        f"{environment.get('IMAGE_REGISTRY', '').rstrip('/')}/knoll-bench-{name}:{_digest(folder)}".lstrip(
            "/"
        )
    )
    subprocess.run(
        [*_builder(built, folder, environment), *_options(environment)], stdout=sys.stderr, check=True
    )
    return built


def _builder(built: str, folder: Path, environment: Mapping[str, str]) -> list[str]:
    if environment.get("IMAGE_BUILD"):
        return [*shlex.split(environment["IMAGE_BUILD"]), built, str(folder)]
    builder = next((one for one in BUILDERS if works(one)), None)
    if builder is None:
        sys.exit(
            "Error: nothing here builds images\nFix: install docker, podman or buildah, or set "
            "IMAGE_BUILD, as for make images"
        )
    return [*BUILDERS[builder], "-t", built, str(folder)]


def _options(environment: Mapping[str, str]) -> list[str]:
    """Build arguments. A build sees no folder of this machine."""
    seen = {
        key: environment[key]
        for key in ARGUMENTS
        if environment.get(key) and not environment[key].startswith(("/", ".", "~"))
    }
    return [one for key, value in seen.items() for one in ("--build-arg", f"{key}={value}")]


def _digest(folder: Path) -> str:
    state = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        state.update(f"{path.name}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return state.hexdigest()[:12]
