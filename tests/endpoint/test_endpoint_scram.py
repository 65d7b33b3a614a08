"""SCRAM-SHA-256: the RFC's own exchange, and what is denied in it.

https://www.rfc-editor.org/rfc/rfc7677#section-3
"""

import base64

import pytest

from consumer.endpoint.authentication import Denied, Doorkeeper, Exchange, User, make_verifier

CLIENT_NONCE = "rOprNGfwEbeRWgbNEkqO"
SERVER_NONCE = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
SALT = "W22ZaJ0SNY7soEsUEjb6gQ=="
FIRST = f"n,,n=user,r={CLIENT_NONCE}"
SAID = f"c=biws,r={CLIENT_NONCE}{SERVER_NONCE}"
PROOF = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="


@pytest.fixture
def exchange() -> Exchange:
    verifier = make_verifier("pencil", base64.b64decode(SALT))
    return Exchange(verifier, "support", nonce=SERVER_NONCE)


def test_the_exchange_is_the_one_in_the_rfc(exchange: Exchange) -> None:
    answer = exchange.answer_first(FIRST)
    signature, role = exchange.answer_last(f"{SAID},p={PROOF}")

    assert f"r={CLIENT_NONCE}{SERVER_NONCE},s={SALT},i=4096" == answer
    assert "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=" == signature
    assert "support" == role


@pytest.mark.parametrize(
    "last",
    [
        f"{SAID},p={base64.b64encode(bytes(32)).decode()}",
        f"{SAID},p={base64.b64encode(bytes(31)).decode()}",
        f"{SAID},p=no base64",
        f"{SAID},p=é",
        f"c=biws,r={CLIENT_NONCE},p={PROOF}",
        f"c=eSws,r={CLIENT_NONCE}{SERVER_NONCE},p={PROOF}",
        SAID,
        "",
    ],
)
def test_another_proof_nonce_or_header_is_denied(exchange: Exchange, last: str) -> None:
    exchange.answer_first(FIRST)

    with pytest.raises(Denied):
        exchange.answer_last(last)


@pytest.mark.parametrize(
    "first",
    [
        "",
        "n,,n=user",
        "n,,n=user,r=",
        "n,a=other,n=user,r=nonce",
        "p=tls-unique,,n=user,r=nonce",
        "n,,m=extension,r=nonce",
        "n,,n=user,r=nonce,more=1",
    ],
)
def test_a_first_message_that_is_none_or_asks_for_more_is_denied(
    exchange: Exchange, first: str
) -> None:
    with pytest.raises(Denied):
        exchange.answer_first(first)


def test_a_stranger_gets_the_same_salt_each_time_as_a_user_does() -> None:
    doorkeeper = Doorkeeper([User("user", "a password for tests", "reader")])

    def salt_of(name: str) -> str:
        return doorkeeper.begin(name).answer_first("n,,n=,r=nonce").split(",")[1]

    assert salt_of("user") == salt_of("user")
    assert salt_of("stranger") == salt_of("stranger")
    assert salt_of("stranger") != salt_of("another")
