"""Addresses of APIs as people type them, and keys that stay secret."""

from __future__ import annotations

import pytest

from kit19 import ModelError
from kit19.calling.endpoint import is_loopback, make_endpoint


@pytest.mark.parametrize(
    ("typed", "base"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000/v1"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000/v1"),
        ("http://localhost:8000/v1/", "http://localhost:8000/v1"),
        ("http://[::1]:8000/v1/completions", "http://[::1]:8000/v1"),
        ("https://api.example.com/v1/chat/completions", "https://api.example.com/v1"),
        ("https://example.com/openai/v2", "https://example.com/openai/v2"),
    ],
)
def test_an_address_is_taken_as_it_is_typed(typed: str, base: str) -> None:
    assert make_endpoint(typed, "m").base_url == base


@pytest.mark.parametrize(
    "typed",
    ["", "127.0.0.1:8000", "ftp://host/v1", "http://", "http://a b/v1", "http://host:x/v1", "글"],
)
def test_what_is_no_address_is_refused(typed: str) -> None:
    with pytest.raises(ModelError, match="is not an address"):
        make_endpoint(typed, "m")


@pytest.mark.parametrize("typed", ["https://me:geheim@host/v1", "https://host/v1?key=geheim"])
def test_secrets_in_an_address_are_refused_and_not_repeated(typed: str) -> None:
    with pytest.raises(ModelError, match="OPENAI_API_KEY") as error:
        make_endpoint(typed, "m")
    assert "geheim" not in str(error.value)


def test_a_key_in_place_of_its_variable_is_refused_and_not_repeated() -> None:
    with pytest.raises(ModelError, match="not the name of an environment variable") as error:
        make_endpoint("https://host/v1", "m", "sk-geheim")
    assert "geheim" not in str(error.value)


def test_a_key_leaves_this_machine_only_encrypted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "geheim")
    sent = {"Authorization": "Bearer geheim"}
    for address in ("https://host/v1", "http://127.0.0.1/v1"):
        assert make_endpoint(address, "m").headers().items() >= sent.items()
    with pytest.raises(ModelError, match="unencrypted") as error:
        make_endpoint("http://192.168.0.7/v1", "m").headers()
    assert "geheim" not in str(error.value)
    assert "geheim" not in repr(make_endpoint("https://host/v1", "m"))
    monkeypatch.setenv("OPENAI_API_KEY", "ge\nheim")
    with pytest.raises(ModelError, match="characters that no key has"):
        make_endpoint("https://host/v1", "m").headers()
    monkeypatch.delenv("OPENAI_API_KEY")
    assert "Authorization" not in make_endpoint("http://192.168.0.7/v1", "m").headers()


def test_a_model_is_named() -> None:
    with pytest.raises(ModelError, match="no model is named"):
        make_endpoint("http://127.0.0.1:8000", " ")


def test_this_machine_is_known() -> None:
    assert all(map(is_loopback, ("localhost", "127.0.0.1", "127.9.9.9", "::1", "[::1]")))
    assert not any(map(is_loopback, ("", "localhost.example.com", "10.0.0.1", "0.0.0.0")))  # noqa: S104
