"""A certificate for the parts of one server, which know each other by it and refuse everybody else."""

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from knoll.laptop.private import write_private

__all__ = ["CERTIFICATE", "KEY", "certificate_context", "make_certificate"]

CERTIFICATE, KEY = "parts.crt", "parts.key"
_VALID = timedelta(days=3650)
_SLACK = timedelta(days=1)  # a clock that is set back must not make it invalid


def make_certificate(folder: Path) -> None:
    """Write a new certificate, which signs itself, and its key to the folder. Only their owner can read
    them."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "knoll")])
    start = datetime.now(UTC) - _SLACK
    here = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName("localhost")])
    certificate = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + _VALID)
        .add_extension(here, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    write_private(folder / CERTIFICATE, certificate.public_bytes(pem).decode())
    write_private(folder / KEY, secret.decode())


def certificate_context(folder: Path) -> ssl.SSLContext:
    """A client's TLS context that trusts the certificate in the folder alone, and shows it."""
    context = ssl.create_default_context(cafile=str(folder / CERTIFICATE))
    context.load_cert_chain(folder / CERTIFICATE, folder / KEY)
    return context
