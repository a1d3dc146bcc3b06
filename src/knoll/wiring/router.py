"""Entry point of the router: `knoll-router`, in the image of the predictor."""

import uvicorn

from knoll.http_connection import server_config
from knoll.request_limits import ByteBudget
from knoll.router.app import Router
from knoll.router.known import KnownCluster
from knoll.settings import read_settings
from knoll.wiring.kubernetes import kubernetes_cluster
from knoll.wiring.logs import escape_logs

__all__ = ["main", "serve"]

_DRAIN = 20  # seconds that requests in flight have after SIGTERM


def main() -> None:
    """Route the requests of a namespace's Models until SIGTERM."""
    escape_logs()
    settings = read_settings()
    known = KnownCluster(kubernetes_cluster(settings))
    serve(Router(known, ByteBudget(settings.body_memory)), settings.listen_host, settings.listen_port)


def serve(router: Router, host: str, port: int) -> None:
    """Answer requests on `host` and `port` until SIGTERM; those in flight are answered first."""
    uvicorn.Server(server_config(router.app, _DRAIN, host=host, port=port)).run()


if __name__ == "__main__":
    main()
