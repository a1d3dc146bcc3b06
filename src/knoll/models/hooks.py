"""The fields of a Model that say who is asked during a rollout."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from knoll.models.dataset import Spec
from knoll.models.units import Seconds, form

__all__ = ["HookSpec", "HookType"]

HookType = Literal["confirm-rollout", "confirm-step", "confirm-promotion", "rollback"]
_LONGEST = 2048


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        is_right = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_right = False
    if not is_right or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("write a URL such as https://hooks.example.com/rollouts")
    if parts.username or parts.password or parts.fragment:
        raise ValueError(
            "no user, password or fragment belongs into the URL: everybody who sees Models sees it"
        )
    if len(url) > _LONGEST:
        raise ValueError(f"a URL has {_LONGEST} characters at most")
    return url


class HookSpec(Spec):
    """A hook, and when it is asked."""

    type: HookType = Field(
        description="When it is asked: `confirm-rollout` before a version starts, `confirm-step` before its "
        "traffic rises, `confirm-promotion` before its bake, `rollback` again and again during the trial"
    )
    url: Annotated[str, AfterValidator(_checked), form("an http or https URL")] = Field(
        description="Where the question is posted"
    )
    timeout: Annotated[Seconds, Field(gt=0, le=30)] = Field(
        default=10.0, description="How long its answer may take"
    )
    on_timeout: Literal["wait", "go", "abort"] = Field(
        default="wait",
        description="What follows if it gives no answer three times in a row: `wait` asks again, `go` goes "
        "on without it, `abort` ends the rollout. It does not apply to `rollback`",
    )
