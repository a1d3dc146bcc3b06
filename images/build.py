"""Build the three images and print their names and sizes.

The builder is docker, podman or buildah, or the command in IMAGE_BUILD, called as `$IMAGE_BUILD TAG
CONTEXT -f FILE`. An image is called $IMAGE_REGISTRY/knoll-NAME:$IMAGE_TAG; the default tag is a digest
of all files that go into it. PUSH=1 also pushes the images. IMAGES="function trainer" builds only these two.
This script needs only the standard library.
"""

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
NAMES = ("function", "trainer", "predictor")
BUILDERS = {"docker": ["docker", "build"], "podman": ["podman", "build"], "buildah": ["buildah", "build"]}
ARGUMENTS = ("BASE", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "TORCH_INDEX")
_INPUTS = ("pyproject.toml", "README.md", "LICENSE", "images", "src", "functions", "eventing")


def image(name: str, environment: Mapping[str, str]) -> str:
    """Full name of an image: function, trainer or predictor."""
    registry = environment.get("IMAGE_REGISTRY", "").rstrip("/")
    return f"{registry}/knoll-{name}:{tag(environment)}".lstrip("/")


def tag(environment: Mapping[str, str]) -> str:
    """IMAGE_TAG, or a digest of all files that go into the images: equal trees get equal tags."""
    if environment.get("IMAGE_TAG"):
        return environment["IMAGE_TAG"]
    state = hashlib.sha256()
    for path in _inputs():
        state.update(f"{path.relative_to(ROOT)}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return state.hexdigest()[:12]


def version() -> str:
    """The version of knoll, from pyproject.toml."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"])


def command(name: str, environment: Mapping[str, str], available: Iterable[str]) -> list[str]:
    """The command line that builds an image. Raises SystemExit if this machine has no builder."""
    file, built = f"images/{name}/Dockerfile", image(name, environment)
    seen = {  # but not folders, which a build cannot see
        key: environment[key]
        for key in ARGUMENTS
        if environment.get(key) and not environment[key].startswith(("/", ".", "~"))
    }
    seen |= {"VERSION": version(), "REVISION": tag(environment)}
    options = [one for key, value in seen.items() for one in ("--build-arg", f"{key}={value}")]
    if environment.get("IMAGE_BUILD"):
        return [*shlex.split(environment["IMAGE_BUILD"]), built, ".", "-f", file, *options]
    builder = next((one for one in BUILDERS if one in available), None)
    if builder is None:
        sys.exit(
            "Error: this machine has no builder for images\nFix: install docker, podman or buildah, or set "
            "IMAGE_BUILD to a command"
        )
    return [*BUILDERS[builder], "-t", built, "-f", file, *options, "."]


def works(builder: str) -> bool:
    """Whether the builder is installed and can build: the docker command cannot without its daemon."""
    return (
        shutil.which(builder) is not None
        and subprocess.run([builder, "info"], capture_output=True).returncode == 0
    )


def size(built: str) -> str:
    """Size of an image as its builder lists it, or "" if no builder knows the image."""
    for builder in BUILDERS:
        if shutil.which(builder):
            listed = subprocess.run(
                [builder, "images", "--format", "{{.Size}}", built], capture_output=True, text=True
            )
            if listed.returncode == 0 and listed.stdout.strip():
                return listed.stdout.split("\n")[0]
    return ""


def _inputs() -> Sequence[Path]:
    found = [
        path
        for top in _INPUTS
        for path in ([ROOT / top] if (ROOT / top).is_file() else (ROOT / top).rglob("*"))
    ]
    return sorted(
        path for path in found if path.is_file() and path.suffix != ".pyc" and ".egg-info" not in str(path)
    )


def main() -> None:
    """Build all images, one after the other."""
    environment = {**os.environ, "IMAGE_TAG": tag(os.environ)}  # one tag for all, whatever changes meanwhile
    available = [] if os.environ.get("IMAGE_BUILD") else [one for one in BUILDERS if works(one)]
    names = environment.get("IMAGES", "").split() or NAMES
    for number, name in enumerate(names, start=1):
        line = command(name, environment, available)
        print(f"[{number}/{len(names)}] {shlex.join(line)}", flush=True)
        if subprocess.run(line, cwd=ROOT).returncode:
            sys.exit(f"Error: knoll-{name} was not built: its builder failed, see above")
        if environment.get("PUSH"):
            subprocess.run(
                [available[0] if available else "docker", "push", image(name, environment)], check=True
            )
    for name in names:
        print(f"{image(name, environment)}  {size(image(name, environment))}")


if __name__ == "__main__":
    main()
