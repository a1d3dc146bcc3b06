"""The client of an S3 server.

A server that has an endpoint and keys of its own needs nothing else. So that client reads no profile, no file
below ~/.aws and no AWS_... variable of the user: what is meant for AWS would only break it.
"""

import os
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore.client import Config
from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES, ConstantProvider
from botocore.loaders import Loader

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

__all__ = ["CONNECT_SECONDS", "build_client", "read_seconds"]

CONNECT_SECONDS = 5
_THIS_MACHINE = ("127.0.0.1", "localhost", "::1")  # never reached through a proxy
_FILES = ("config_file", "credentials_file")
_SECTIONS = ("s3", "proxies_config")  # of a profile; botocore reads variables for them on its own


def read_seconds(*, tries_once: bool) -> int:
    """How long the client waits for a byte of an answer."""
    return 10 if tries_once else 60


def build_client(
    endpoint: str, access_key: str, secret_key: str, region: str, *, tries_once: bool = False
) -> "S3Client":
    """A client for these settings. An empty endpoint means AWS. Empty keys mean the default chain of AWS:
    environment, profile, role of the Pod. If it `tries_once`, it gives up sooner."""
    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=read_seconds(tries_once=tries_once),
        max_pool_connections=32,
        retries={"mode": "standard", "total_max_attempts": 1 if tries_once else 5},
        s3={"addressing_style": "path"} if endpoint else {},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        proxies={} if urlsplit(endpoint).hostname in _THIS_MACHINE else None,
    )
    alone = _session_alone(endpoint) if endpoint and access_key and secret_key else None
    return boto3.session.Session(botocore_session=alone).client(
        "s3",
        endpoint_url=endpoint or None,
        aws_access_key_id=access_key or None,
        aws_secret_access_key=secret_key or None,
        region_name=region or None,
        config=config,
    )


def _session_alone(endpoint: str) -> botocore.session.Session:
    """A session that knows its defaults only. With TLS it also knows the user's certificate authorities,
    which may have signed that server's certificate."""
    variables: dict[str, Any] = {
        name: (None, None, os.devnull if name in _FILES else default, convert)
        for name, (_, _, default, convert) in BOTOCORE_DEFAUT_SESSION_VARIABLES.items()
    }
    if urlsplit(endpoint).scheme == "https":
        variables["ca_bundle"] = BOTOCORE_DEFAUT_SESSION_VARIABLES["ca_bundle"]
    session = botocore.session.Session(session_vars=variables)
    for section in _SECTIONS:
        session.get_component("config_store").set_config_provider(section, ConstantProvider(None))
    own = Loader(extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)
    session.register_component("data_loader", own)
    return session
