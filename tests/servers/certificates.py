"""An authority of one's own, and what it certifies: for servers on loopback that speak TLS."""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Certified:
    """A key and the certificate that its authority gave it."""

    key: rsa.RSAPrivateKey
    certificate_pem: bytes

    def key_pem(self, password: str | None = None) -> bytes:
        encryption: KeySerializationEncryption = NoEncryption()
        if password is not None:
            encryption = BestAvailableEncryption(password.encode())
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)

    def pem(self) -> bytes:
        """Key and certificate in one file, as Java reads them."""
        return self.key_pem() + self.certificate_pem


@dataclass(frozen=True)
class Authority:
    """Whom clients are told to trust."""

    name: x509.Name
    key: rsa.RSAPrivateKey
    certificate_pem: bytes

    @classmethod
    def found(cls, name: str) -> Self:
        subject = _to_name(name)
        key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
        builder = (
            _begin(subject, subject, key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
        )
        return cls(subject, key, builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))

    def issue(self, address: str) -> Certified:
        """Certify an IP address of a server, or any of a client."""
        key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        builder = (
            _begin(_to_name(address), self.name, key)
            .add_extension(names, critical=False)
            .add_extension(issuer, critical=False)
        )
        signed = builder.sign(self.key, hashes.SHA256())
        return Certified(key, signed.public_bytes(Encoding.PEM))


def _to_name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _begin(
    subject: x509.Name, issuer: x509.Name, key: rsa.RSAPrivateKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - ONE_DAY)
        .not_valid_after(now + ONE_DAY)
    )
