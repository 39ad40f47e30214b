"""Tokens of `make token`: accepted by a service with the settings that are printed beside them."""

import stat
from pathlib import Path

import pytest

from vitals.ops.project import token
from vitals.ops.run.steps import Refused
from vitals.security.jwks import JwksCache
from vitals.security.tokens import JwtVerifier
from vitals.settings import Settings, load


async def test_the_printed_token_is_taken_with_the_printed_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(token, "FOLDER", tmp_path / "issuer")
    monkeypatch.setenv("SCOPES", "items:write other")

    token.main()

    first, *rest = capsys.readouterr().out.split()
    printed = dict(word.split("=", 1) for word in rest if "=" in word)
    settings = load(Settings, {"APP_ENVIRONMENT": "test", **printed})
    keys = JwksCache(settings.auth_jwks_url)
    caller = await JwtVerifier(keys, settings.auth_issuer, settings.auth_audience).verify(first)
    assert caller.scopes == {"items:write", "other"}


def test_the_key_is_stored_for_its_owner_only(tmp_path: Path) -> None:
    first = token.stored(tmp_path)
    again = token.stored(tmp_path)

    assert first.key_id == again.key_id
    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600


def test_another_kind_of_key_is_refused(tmp_path: Path) -> None:
    token.stored(tmp_path)
    (tmp_path / "key.pem").write_text("no key")

    with pytest.raises(Refused, match="the key that was written"):
        token.stored(tmp_path)
