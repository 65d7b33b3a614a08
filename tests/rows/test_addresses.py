"""One mailbox, one spelling, one token."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.addresses import normalise, parse_address, to_token

SECRET = b"s" * 32


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("ann@example.com", "ann@example.com"),
        ("Ann@Example.COM", "ann@example.com"),
        (" ann@example.com ", "ann@example.com"),
        ("<ann@example.com>", "ann@example.com"),
        ("Ann <Ann@example.com>", "ann@example.com"),
        ('"Ann, of Sales" <ann@example.com>', "ann@example.com"),
        ('"Ann" <ann@example.com>', "ann@example.com"),
        ('"ann"@example.com', "ann@example.com"),
        ("ann@example.com (Ann)", "ann@example.com"),
        ("=?utf-8?q?J=C3=B6rg?= <joerg@example.com>", "joerg@example.com"),
        ("ann+tag@example.com", "ann+tag@example.com"),
        ("J\N{LATIN SMALL LETTER O WITH DIAERESIS}RG@example.com", "j\xf6rg@example.com"),
        ("not an address", "not an address"),
        ("", ""),
    ],
)
def test_d18_an_address_is_compared_bare_and_lower_case(written: str, text: str) -> None:
    assert text == normalise(written)
    assert text == parse_address(written, SECRET).text


def test_what_ses_wrote_is_kept_where_it_differs() -> None:
    assert parse_address("ann@example.com", SECRET).as_written is None
    assert "Ann <ANN@example.com>" == parse_address("Ann <ANN@example.com>", SECRET).as_written


@pytest.mark.parametrize(
    ("written", "domain"),
    [
        ("ann@example.com", "example.com"),
        ("ann@EXAMPLE.com", "example.com"),
        ("a@b@example.com", "example.com"),
        ("ann", None),
        ("@example.com", None),
        ("ann@", None),
    ],
)
def test_the_domain_is_what_follows_the_last_at(written: str, domain: str | None) -> None:
    assert domain == parse_address(written, SECRET).domain


@pytest.mark.parametrize(
    ("written", "is_simulator"),
    [
        ("bounce@simulator.amazonses.com", True),
        ("Success <success+label@SIMULATOR.amazonses.com>", True),
        ("success@amazonses.com", False),
        ("success@simulator.amazonses.com.example.org", False),
    ],
)
def test_the_mailbox_simulator_is_told_by_its_domain(written: str, is_simulator: bool) -> None:
    assert is_simulator == parse_address(written, SECRET).is_simulator


def test_spellings_of_a_mailbox_share_their_token() -> None:
    spellings = ["ann@example.com", "ANN@example.com", '"Ann" <ann@Example.com>']

    assert 1 == len({parse_address(one, SECRET).token for one in spellings})


def test_a_token_is_the_same_for_ever() -> None:
    """Keys in stored rows rest on it: a change would count every event again."""
    assert "805d45c4dd079449b2588215c58597cf" == to_token("ann@example.com", SECRET)


def test_another_warehouse_has_other_tokens() -> None:
    assert to_token("ann@example.com", SECRET) != to_token("ann@example.com", b"t" * 32)


def test_an_erased_address_keeps_its_token_and_domain() -> None:
    token = to_token("ann@example.com", SECRET)
    erased = parse_address(f"~{token}@example.com", SECRET)

    assert token == erased.token
    assert "example.com" == erased.domain


@pytest.mark.parametrize("almost", ["~abc@example.com", f"~{'0' * 33}@x.org", f"~{'g' * 32}@x.org"])
def test_what_only_looks_like_a_token_is_hashed(almost: str) -> None:
    token = to_token(almost, SECRET)

    assert 32 == len(token)
    assert token not in almost


@settings(deadline=None)  # the machine may be busy
@given(st.text())
def test_any_text_is_taken_apart(written: str) -> None:
    address = parse_address(written, SECRET)

    assert address.text == normalise(written)
    assert 32 == len(address.token)
    assert (address.as_written is None) == (address.text == written)


@settings(deadline=None)  # the machine may be busy
@given(st.emails())
def test_normalising_twice_changes_nothing(written: str) -> None:
    assert normalise(written) == normalise(normalise(written))
