"""What SNS signs, and whether a signature is good.

https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509 import Certificate

from consumer.sources.http_refusal import Refusal, Why

NOTIFICATION = "Notification"
SUBSCRIPTION = "SubscriptionConfirmation"
UNSUBSCRIPTION = "UnsubscribeConfirmation"

# In byte order, as they are signed. AWS's JavaScript validator leaves Token out for
# UnsubscribeConfirmation; its guide and its senders do not.
_CONFIRMATION_KEYS = (
    "Message",
    "MessageId",
    "SubscribeURL",
    "Timestamp",
    "Token",
    "TopicArn",
    "Type",
)
SIGNED_KEYS = {
    NOTIFICATION: ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    SUBSCRIPTION: _CONFIRMATION_KEYS,
    UNSUBSCRIPTION: _CONFIRMATION_KEYS,
}
_OPTIONAL = "Subject"
# Version 1 is SHA-1 because SNS says so; a topic's owner chooses 2.
_DIGESTS: dict[str, hashes.HashAlgorithm] = {
    "1": hashes.SHA1(),  # noqa: S303 - see above
    "2": hashes.SHA256(),
}


@dataclass(frozen=True, slots=True)
class SignedMessage:
    """An SNS envelope's signed fields, and nothing of what nobody vouches for.

    Attributes:
        fields: text by key, in signing order.
        sent_at: its Timestamp, aware.
    """

    fields: Mapping[str, str]
    sent_at: datetime
    version: str
    signature: bytes
    certificate_url: str

    @property
    def signed_bytes(self) -> bytes:
        """Key, newline, value, newline for each field, in byte order of the keys."""
        return "".join(f"{key}\n{value}\n" for key, value in self.fields.items()).encode()


def parse_message(value: object) -> SignedMessage:
    """Pick the signed fields out of an SNS envelope, without looking into any of them.

    Raises `Refusal` where one is missing or no text, or the version is unknown.
    """
    if not isinstance(value, dict):
        raise Refusal(Why.MESSAGE, "no SNS message")
    kind = value.get("Type")
    if not isinstance(kind, str) or kind not in SIGNED_KEYS:
        raise Refusal(Why.MESSAGE, "Type is none of SNS's")
    # Lambda spells one key differently and writes null for no Subject.
    url = value.get("SigningCertURL", value.get("SigningCertUrl"))
    fields = {
        key: value.get(key)
        for key in SIGNED_KEYS[kind]
        if key != _OPTIONAL or value.get(key) is not None
    }
    version, signature = value.get("SignatureVersion"), value.get("Signature")
    for key, text in (*fields.items(), ("Signature", signature), ("SigningCertURL", url)):
        if not isinstance(text, str):
            raise Refusal(Why.MESSAGE, f"{key}: expected text")
    if version not in _DIGESTS:
        raise Refusal(Why.SIGNATURE, "SignatureVersion: expected 1 or 2")
    try:
        sent_at = datetime.fromisoformat(str(fields["Timestamp"]))
        raw_signature = base64.b64decode(str(signature), validate=True)
    except (ValueError, binascii.Error) as error:
        raise Refusal(Why.MESSAGE, "Timestamp or Signature cannot be read") from error
    return SignedMessage(
        fields={key: str(text) for key, text in fields.items()},
        sent_at=sent_at if sent_at.tzinfo else sent_at.replace(tzinfo=UTC),
        version=str(version),
        signature=raw_signature,
        certificate_url=str(url),
    )


def check_signature(message: SignedMessage, certificate: Certificate) -> None:
    """Raise `Refusal` unless the certificate's key made the signature, within its validity.

    Validity is judged at the message's own time: a message redelivered later than that is as
    good as it was.
    """
    is_valid_then = (
        certificate.not_valid_before_utc <= message.sent_at <= certificate.not_valid_after_utc
    )
    if not is_valid_then:
        raise Refusal(Why.CERTIFICATE, "the certificate was not valid at the message's Timestamp")
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        raise Refusal(Why.CERTIFICATE, "the certificate's key is not RSA")
    digest = _DIGESTS[message.version]
    try:
        key.verify(message.signature, message.signed_bytes, padding.PKCS1v15(), digest)
    except (InvalidSignature, UnsupportedAlgorithm) as error:
        raise Refusal(Why.SIGNATURE, "the signature does not fit the message") from error
