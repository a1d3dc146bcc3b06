"""The names of what an installation has once: its settings, and the Secrets with its keys."""

__all__ = [
    "CONFIG_MAP",
    "SIGNING_SECRET",
    "SIGN_FILE",
    "STAMPING_SECRET",
    "STORE_SECRET",
    "STORE_VARIABLES",
    "VERIFY_FILE",
]

CONFIG_MAP = "knoll"  # cluster: the settings of the installation
STORE_SECRET = "knoll-s3"  # the Secret with the keys of the store
SIGNING_SECRET = "knoll-signing"  # the Secret with the two halves of the key that signs versions
STAMPING_SECRET = "knoll-stamping"  # the Secret with the two halves of the key that stamps records
SIGN_FILE, VERIFY_FILE = "private.pem", "public.pem"  # the entries of both
# variables in the Secret of the store, as S3 clients read them, by the fields of Settings
STORE_VARIABLES = {
    "AWS_ENDPOINT_URL": "s3_endpoint",
    "AWS_ACCESS_KEY_ID": "s3_access_key",
    "AWS_SECRET_ACCESS_KEY": "s3_secret_key",
    "AWS_REGION": "s3_region",
}
