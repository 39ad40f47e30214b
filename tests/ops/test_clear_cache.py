"""The cache of one feature: cleared at the right service, or refused with a reason."""

import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from vitals.ops.project import clear_cache
from vitals.ops.run import shell
from vitals.ops.run.steps import Refused

TOKEN = "0123456789abcdef"


class Service(BaseHTTPRequestHandler):
    def do_DELETE(self) -> None:
        known = self.headers["Authorization"] == f"Bearer {TOKEN}"
        content = b'{"feature": "items", "cleared": 3}' if known else b'{"title": "Unauthorized"}'
        self.send_response(200 if known and self.path == "/cache/items" else 401)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def url() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Service) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_the_feature_is_cleared(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {"URL": url, "FEATURE": "items", "APP_OPS_TOKEN": TOKEN}.items():
        monkeypatch.setenv(name, value)

    clear_cache.main()

    assert f"{url}: the cache of items is cleared (3 values)" in capsys.readouterr().out


def test_a_refusal_says_what_the_service_said(url: str) -> None:
    with pytest.raises(Refused, match=r"401.*APP_OPS_TOKEN") as refused:
        clear_cache.clear(url, "items", "wrong")

    assert "Unauthorized" in refused.value.output


def test_a_service_that_is_away_is_refused() -> None:
    with pytest.raises(Refused, match="expected the service"):
        clear_cache.clear(f"http://127.0.0.1:{shell.free_port()}", "items", TOKEN)


def test_a_place_is_found_by_its_name(tmp_path: Path) -> None:
    shutil.copytree(shell.ROOT / "config", tmp_path / "config")
    hosts = "APP_ALLOWED_HOSTS=orders.internal,other.internal\n"
    (tmp_path / "config" / "staging.env").write_text(hosts)

    assert clear_cache.address({}, tmp_path) == "http://127.0.0.1:8000"
    assert clear_cache.address({"URL": "http://x/"}, tmp_path) == "http://x"
    assert clear_cache.address({"ENV": "staging"}, tmp_path) == "https://orders.internal"
    with pytest.raises(Refused, match="ENV=stagging"):
        clear_cache.address({"ENV": "stagging"}, tmp_path)


def test_the_token_is_taken_from_the_setting_else_from_the_secrets(tmp_path: Path) -> None:
    (tmp_path / "ops_token").write_text(f"{TOKEN}\n")

    assert clear_cache.token({"SECRETS": str(tmp_path)}) == TOKEN
    assert clear_cache.token({"SECRETS": str(tmp_path), "APP_OPS_TOKEN": "given"}) == "given"
    assert clear_cache.token({"SECRETS": str(tmp_path / "nothing")}) == ""
