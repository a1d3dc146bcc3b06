"""The names of what an installation has once: its settings, the Secrets with its keys, and the variables by
which S3 clients find its store."""

__all__ = [
    "ACCESS_KEY",
    "CONFIG_MAP",
    "DEFAULT_REGION",
    "ELSEWHERE",
    "ENDPOINT",
    "ENDPOINT_OF_S3",
    "REGION",
    "SECRET_KEY",
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
# variables that S3 clients read
ENDPOINT, ENDPOINT_OF_S3 = "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"
ACCESS_KEY, SECRET_KEY = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"
REGION, DEFAULT_REGION = "AWS_REGION", "AWS_DEFAULT_REGION"
# those with which a client of AWS would look elsewhere
ELSEWHERE = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", ENDPOINT_OF_S3)
# those in the Secret of the store, and the fields of Settings that they set
STORE_VARIABLES = {
    ENDPOINT: "s3_endpoint",
    ACCESS_KEY: "s3_access_key",
    SECRET_KEY: "s3_secret_key",
    REGION: "s3_region",
}
