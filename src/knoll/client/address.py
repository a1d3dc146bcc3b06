"""Where the platform is, if nobody says it."""

from knoll.errors import NotFound

__all__ = ["found_url"]


def found_url() -> str:
    """KNOLL_URL, or the URL of the platform that runs on this machine. Raises NotFound."""
    from knoll.settings import read_settings
    from knoll.wiring.running import running

    settings = read_settings()
    if settings.url:
        return settings.url
    if (found := running(settings)) is not None:
        return found.url
    raise NotFound(
        f"no URL is given, KNOLL_URL is not set, and no platform runs in {settings.home}",
        fix="Client(URL), or knoll up in another terminal",
    )
