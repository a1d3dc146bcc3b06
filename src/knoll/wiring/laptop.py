"""`knoll up`: the platform on one machine. The stages, Trigger files and documents are those of a cluster.

    front      one HTTP port: broker ingress, functions, predict gateway
    SeaweedFS  the S3 server, unless the user has one; its notifications go to functions/ingest
    broker     reads eventing/, and delivers events to the stages in this process
    jobs       executes Job documents as child processes
    autoscaler executes InferenceService documents as child processes
    changes    tells rollout of changed Models
    ticker     wakes sweep

All state is on disk: after kill -9 at any moment, the next start goes on.
"""

import os
import signal
import sys
import sysconfig
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from socket import socket

from knoll.adapters.clock import SystemClock
from knoll.adapters.cluster_local import LocalCluster
from knoll.adapters.store_arbitrated import probe_once
from knoll.errors import NotFound, Unavailable
from knoll.events import Event
from knoll.events.http import event_from_http, refusal, respond
from knoll.headers import RETRY_AFTER
from knoll.installation import SIGN_FILE, SIGNING_SECRET, STORE_SECRET
from knoll.laptop.broker.broker import Broker
from knoll.laptop.broker.eventing import read_eventing
from knoll.laptop.broker.ticker import Ticker
from knoll.laptop.disk import check_room
from knoll.laptop.front import Front, Posted, Reply, listen
from knoll.laptop.jobs.runner import JobRunner
from knoll.laptop.log_trimmer import LogTrimmer
from knoll.laptop.model_changes import ModelChanges
from knoll.laptop.private import find_or_make_token, keep_private
from knoll.laptop.repeated import Repeated
from knoll.laptop.secrets import Secrets
from knoll.laptop.serving.asked import with_asked
from knoll.laptop.serving.autoscaler import Autoscaler
from knoll.laptop.serving.examples import find_example
from knoll.laptop.serving.gateway import Gateway
from knoll.laptop.serving.inference_services import InferenceServices
from knoll.laptop.serving.options import ServingOptions
from knoll.laptop.signing import SIGNING, STAMPING, find_or_make_pair
from knoll.paths import BROKER
from knoll.ports import ObjectStore, Platform
from knoll.request_limits import ByteBudget
from knoll.settings import Settings, variable
from knoll.sqlite_file import DATABASE, check_file
from knoll.wiring.functions import answer
from knoll.wiring.logs import escape_logs
from knoll.wiring.own_store import is_users_own, keeper_of, own_store, with_store
from knoll.wiring.platform import build_platform, documents, object_store
from knoll.wiring.running import Running, hold_home, keep, running, store_variables
from knoll.wiring.stages import STAGES, Stage

__all__ = ["Running", "functions_of", "run", "running"]

ENTRY_POINTS = {
    "knoll-trainer": [sys.executable, "-m", "knoll.wiring.trainer"],
    "knoll-predictor": [sys.executable, "-m", "knoll.wiring.predictor"],
}
_MOST_WAITING = 50_000  # deliveries
_DEAD_LETTERS = "knoll-dead-letters"  # the sink also of letters whose Trigger or sink is gone


def run(settings: Settings, ready: Callable[[Running], None]) -> None:
    """Run the platform until SIGINT or SIGTERM; `ready` is called when it takes uploads and requests. Raises
    Unavailable if it cannot run."""
    escape_logs()
    ending = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ending.set())
    with ExitStack() as stack:
        check_room(settings.home, has_store=not is_users_own(settings))
        stack.enter_context(hold_home(settings.home))
        check_file(settings.home / DATABASE)
        bound = stack.enter_context(listen(settings.port))
        port = bound.getsockname()[1]
        signing, stamping = (find_or_make_pair(settings.home / one) for one in (SIGNING, STAMPING))
        settings = settings.model_copy(
            update={
                "port": port,
                "url": f"http://127.0.0.1:{port}",
                "sink": f"http://127.0.0.1:{port}{BROKER}",
                "token": settings.token or find_or_make_token(settings.home / "token"),
                "sign_key": signing.private,
                "verify_key": signing.public,
                "stamp_key": stamping.private,
                "stamp_verify_key": stamping.public,
            }
        )
        store = stack.enter_context(own_store(settings))
        settings = with_store(settings, store)
        keeper = keeper_of(settings, store)
        _start(settings, bound, stack, fault=lambda: keeper.fault if keeper else "")
        found = _running(settings)
        keep(settings.home, found)
        ready(found)
        if keeper:
            keeper.start()
            stack.callback(keeper.stop)
        while not ending.wait(0.5):
            if keeper and keeper.has_given_up:
                log = settings.home / "logs" / "weed.log"
                raise Unavailable(keeper.fault, fix=f"read {log}, then knoll up again")


def _start(settings: Settings, bound: socket, stack: ExitStack, fault: Callable[[], str]) -> None:
    """Start every part, and put its end on the stack."""
    keep_private(settings.home / DATABASE)
    eventing = read_eventing(settings.eventing or _eventing_folder())
    clock, cluster = SystemClock(), documents(settings)
    store = object_store(settings)
    store.ensure_bucket(settings.model_bucket)
    threading.Thread(target=_probe, args=(store, settings.model_root), name="probe", daemon=True).start()

    def subscriber(stage: Stage) -> Callable[[Event], Event | None]:
        return lambda event: stage.handle(event, platform)

    subscribers = {f"knoll-{name}": subscriber(stage) for name, stage in STAGES.items()}
    broker = Broker(settings.home / DATABASE, eventing.triggers, subscribers, clock, last_sink=_DEAD_LETTERS)
    # documents live longer than this port: child processes get the sink from their environment
    platform = build_platform(settings.model_copy(update={"sink": "", "sign_key": ""}), broker, store=store)
    autoscaler = Autoscaler(InferenceServices(cluster, broker, clock), _serving_options(settings, cluster))
    examples = partial(find_example, platform.bucket)
    gateway = Gateway(autoscaler, ByteBudget(settings.body_memory), example_of=examples)
    front = Front(
        bound,
        token=settings.token,
        broker=partial(_take, broker, gateway.asked),
        functions=functions_of(platform),
        routes=gateway.routes(),
        lifespan=gateway.lifespan,
        fault=fault,
    )
    jobs = _job_runner(settings, cluster, broker, clock)
    tickers = [
        Ticker(broker, source, settings.namespace, settings.tick, clock) for source in eventing.tickers
    ]
    changes = [ModelChanges(cluster, broker, clock) for watch in eventing.watches if watch.kind == "Model"]
    logs = LogTrimmer(settings.home / "logs")
    parts: tuple[Front | Broker | Repeated, ...] = (front, broker, jobs, *changes, *tickers, logs)
    for part in parts:
        part.start()
        stack.callback(part.stop)


def _job_runner(settings: Settings, cluster: LocalCluster, broker: Broker, clock: SystemClock) -> JobRunner:
    return JobRunner(
        cluster,
        broker,
        ENTRY_POINTS,
        {
            **_environment(settings),
            variable("verify_key"): settings.verify_key,
            variable("stamp_verify_key"): settings.stamp_verify_key,
        },
        {**_secrets(settings), SIGNING_SECRET: {SIGN_FILE: settings.sign_key}},
        settings.home / "logs" / "jobs",
        clock,
        changed=cluster.revision,
    )


def _probe(store: ObjectStore, root: str) -> None:
    """Find out whether the store's conditional writes are atomic. Until then writers read back, so nothing
    waits for this."""
    with suppress(Unavailable):
        probe_once(store, root, SystemClock().now())


def _take(broker: Broker, asked: Mapping[str, int], headers: Mapping[str, str], body: bytes) -> Reply:
    """The broker's ingress: 202 once the event is durable; 429 while too many wait to be delivered. `asked`
    has what the gateway has sent to each Revision."""
    if (waiting := broker.pending()) >= _MOST_WAITING:
        text = f"{waiting:,} deliveries wait already; at most {_MOST_WAITING:,} may: send it again later"
        told = refusal(429, text)
        return told.status, {**told.headers, RETRY_AFTER: "10"}, told.body
    taken = respond(lambda: broker.publish(with_asked(event_from_http(headers, body), asked)))
    return (202 if taken.status == 204 else taken.status), taken.headers, taken.body


def functions_of(platform: Platform) -> dict[str, Posted]:
    """Each function by its name, with its limit."""
    return {name: Posted(partial(_answer, name, platform), stage.limit) for name, stage in STAGES.items()}


def _answer(name: str, platform: Platform, headers: Mapping[str, str], body: bytes) -> Reply:
    answered = answer(name, headers, body, platform)
    return answered.status, answered.headers, answered.body


def _serving_options(settings: Settings, cluster: LocalCluster) -> ServingOptions:
    return ServingOptions(
        url=settings.url,
        logs=settings.home / "logs" / "predictors",
        entry_points=ENTRY_POINTS,
        secrets=Secrets(_secrets(settings), cluster),
        environment=_environment(settings),
        token=settings.token,
        idle=settings.idle,
        progress_deadline=settings.progress_deadline,
    )


def _environment(settings: Settings) -> Mapping[str, str]:
    """What a SinkBinding, a ConfigMap and an image give a container on a cluster."""
    cache = {"cache": settings.cache or settings.home / "cache"}
    given = {field: getattr(settings, field) for field in ("sink", "home", "model_bucket", "token")} | cache
    return {variable(field): str(value) for field, value in given.items()}


def _secrets(settings: Settings) -> Mapping[str, Mapping[str, str]]:
    return {STORE_SECRET: store_variables(settings)}


def _running(settings: Settings) -> Running:
    return Running(
        pid=os.getpid(),
        port=settings.port,
        url=settings.url,
        s3_endpoint=settings.s3_endpoint,
        s3_access_key=settings.s3_access_key,
        s3_secret_key=settings.s3_secret_key,
        s3_region=settings.s3_region,
        model_bucket=settings.model_bucket,
        own_s3=settings.own_s3,
        token=settings.token,
        verify_key=settings.verify_key,
        stamp_verify_key=settings.stamp_verify_key,
    )


def _eventing_folder() -> Path:
    """The folder eventing/ of the source tree, or where an installation keeps it. Raises NotFound when there
    is neither."""
    installed = Path(sysconfig.get_path("data")) / "share" / "knoll" / "eventing"
    for folder in (Path(__file__).parents[3] / "eventing", installed):
        if folder.is_dir():
            return folder
    raise NotFound(
        "the folder eventing/ with Broker and Triggers is not there", fix="set KNOLL_EVENTING to its path"
    )
