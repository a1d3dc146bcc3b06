"""What stores, queues and clouds send, and the created objects that each body tells of.

The bodies of SeaweedFS, versitygw and moto are as they came, the others as their senders document them.
"""

import json
from pathlib import Path

from knoll.events import Event, event_from_json
from knoll.ingest.notifications import events_from_event, events_from_notification, is_notification

ROOT = Path(__file__).parents[2]
BODIES = ROOT / "tests" / "events"
ODD = "digits/a b+ü%.txt"
PUT, POST, COPY, COMPLETE = (
    f"com.amazonaws.s3.ObjectCreated:{how}" for how in ("Put", "Post", "Copy", "CompleteMultipartUpload")
)
HELLO, EMPTY = "5d41402abc4b2a76b9719d911017c592", "d41d8cd98f00b204e9800998ecf8427e"
ODD_PUT, MULTIPART = (PUT, ODD, HELLO), (COMPLETE, "digits/mp.bin", "4b99e40247a1e9216822c7aa97c35484-2")
COPIED, MARKER = (COPY, "digits/copy.txt", HELLO), (PUT, "digits/_SUCCESS", EMPTY)
CREATED = {  # all other bodies tell of no created object
    "aws/put": [ODD_PUT],
    "aws/multipart-complete": [MULTIPART],
    "aws/copy": [COPIED],
    "aws/post": [(POST, ODD, HELLO)],
    "aws/two-records": [ODD_PUT, MARKER],
    "aws/sns": [ODD_PUT],
    "aws/sns-lambda": [ODD_PUT],
    "aws/sqs-lambda": [ODD_PUT, MARKER],
    "aws/sqs-pipe": [ODD_PUT],
    "aws/sqs-received": [ODD_PUT],
    "aws/eventbridge": [ODD_PUT],
    "aws/eventbridge-multipart": [MULTIPART],
    "aws/adapter.event": [ODD_PUT],
    "aws/sqs.event": [ODD_PUT],
    "aws/sqs-text.event": [ODD_PUT],
    "aws/sqs-sns.event": [ODD_PUT],
    "aws/sqs-eventbridge.event": [ODD_PUT],
    "azure/put.event": [(PUT, ODD, "0x8D4BCC2E4835CD0")],
    "azure/flush-with-close.event": [(PUT, ODD, "0x8D4BCC2E4835CD0")],
    "azure/copy.event": [(COPY, "digits/copy.txt", "0x8D4BCC2E4835CD0")],
    "azure/event-grid": [(PUT, ODD, "0x8D4BCC2E4835CD0"), (COMPLETE, "digits/mp.bin", "0x8D4BCC2E4835CD0")],
    "azure/block-list.event": [(COMPLETE, "digits/mp.bin", "0x8D4BCC2E4835CD0")],
    "ceph/put": [ODD_PUT],
    "ceph/put-size-as-text": [ODD_PUT],
    "ceph/copy": [COPIED],
    "ceph/multipart-complete": [MULTIPART],
    "ceph/cloudevents.event": [ODD_PUT],
    "ceph/cloudevents-older.event": [ODD_PUT],
    "gcs/finalized.event": [ODD_PUT],
    "gcs/composed.event": [(PUT, "digits/mp.bin", "")],
    "gcs/pubsub": [ODD_PUT],
    "gcs/pubsub-no-payload": [(PUT, ODD, "")],
    "minio/put": [ODD_PUT],
    "minio/slash-encoded": [ODD_PUT],
    "minio/copy": [COPIED],
    "minio/multipart-complete": [MULTIPART],
    "moto/put": [ODD_PUT],
    "moto/copy": [COPIED],
    "moto/multipart-complete": [(COMPLETE, "digits/mp.bin", "c78e341343eb71f14fdef21464e0afa3-2")],
    "moto/sns": [ODD_PUT],
    "moto/eventbridge": [ODD_PUT],
    "seaweedfs/put": [ODD_PUT],
    "seaweedfs/put-again": [(PUT, ODD, "6e809cbda0732ac4845916a59016f954")],
    "seaweedfs/put-empty": [MARKER],
    "seaweedfs/copy": [(PUT, "digits/copy.txt", "6e809cbda0732ac4845916a59016f954")],
    "seaweedfs/metadata-replaced": [(PUT, "digits/copy.txt", HELLO)],
    "seaweedfs/rename": [(PUT, "digits/renamed ü.txt", HELLO)],
    "seaweedfs/rename-into-folder": [(PUT, "other/digits/renamed ü.txt", HELLO)],
    "seaweedfs/multipart-complete": [MULTIPART],
    "versitygw/put": [ODD_PUT],
    "versitygw/put-empty": [MARKER],
    "versitygw/copy": [(COPY, "digits/copy.txt", EMPTY)],
    "versitygw/multipart-complete": [(COMPLETE, "digits/mp.bin", "326078dc9f7f9af267714c26f3d05fc3-2")],
}
NAMES = sorted(str(path.relative_to(BODIES)).removesuffix(".json") for path in BODIES.glob("*/*.json"))


def events_in(name: str) -> list[Event]:
    """What a stored body tells of; `.event` in its name says that it is a CloudEvent."""
    body = (BODIES / f"{name}.json").read_bytes()
    if not name.endswith(".event"):
        return events_from_notification(body, "2026-01-01T00:00:00Z")
    event = event_from_json(json.loads(body))
    assert is_notification(event)
    return events_from_event(event, "2026-01-01T00:00:00Z")


def record(**object_fields: object) -> dict[str, object]:
    fields = {
        "key": "digits/a+b%2B%C3%BC%25.txt",
        "size": 3,
        "eTag": "abc",
        "sequencer": "01",
        **object_fields,
    }
    return {
        "eventName": "s3:ObjectCreated:Put",
        "eventSource": "minio:s3",
        "awsRegion": "eu-west-1",
        "eventTime": "2026-01-01T00:00:00Z",
        "s3": {"bucket": {"name": "datasets"}, "object": fields},
    }
