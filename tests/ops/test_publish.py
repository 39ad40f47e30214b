import json
import threading
from collections.abc import Iterator
from email.message import Message
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from ops import git, publish
from ops.steps import Refused
from tests.ops.shipping import commit


class Pages(HTTPServer):
    """A forge that keeps the pages of releases."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.address = f"http://127.0.0.1:{self.server_port}"
        self.posted: list[tuple[str, Message, dict[str, str]]] = []
        self.status = 201


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Pages)
        self._send(200 if self.server.posted else 404)

    def do_POST(self) -> None:
        assert isinstance(self.server, Pages)
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.posted.append((self.path, self.headers, body))
        self._send(self.server.status)

    def _send(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the parent's name
        """Say nothing in between."""


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pages]:
    for name in publish.FORGES:
        monkeypatch.delenv(name, raising=False)
    with Pages() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.usefixtures("released")
def test_a_tag_that_make_release_made_is_sound() -> None:
    assert publish.verify("v0.1.0") == "v0.1.0: annotated, on main"


@pytest.mark.usefixtures("released")
@pytest.mark.parametrize("version", ["", "v0.2.0", "main", "HEAD"])
def test_what_is_no_version_is_refused(version: str) -> None:
    with pytest.raises(Refused, match="is no tag here"):
        publish.verify(version)


@pytest.mark.usefixtures("released")
def test_a_name_without_notes_is_refused() -> None:
    commit()
    git.git("tag", "v0.2.0")

    with pytest.raises(Refused, match="without notes"):
        publish.verify("v0.2.0")


@pytest.mark.usefixtures("released")
def test_a_version_that_is_not_on_main_is_refused() -> None:
    git.git("switch", "--quiet", "--create", "topic")
    git.git("commit", "--quiet", "--allow-empty", "--message=aside")
    git.git("tag", "--annotate", "--message=v0.2.0", "v0.2.0")

    with pytest.raises(Refused, match="is no part of refs/remotes/origin/main"):
        publish.verify("v0.2.0")


@pytest.mark.usefixtures("released")
def test_another_checkout_than_the_version_is_refused() -> None:
    commit()

    with pytest.raises(Refused, match=r"git checkout v0\.1\.0"):
        publish.verify("v0.1.0")


@pytest.mark.usefixtures("released")
def test_github_gets_the_page_of_a_release_once(
    pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_API_URL", pages.address)
    monkeypatch.setenv("GITHUB_REPOSITORY", "team/orders")
    monkeypatch.setenv("GITHUB_TOKEN", "t0ken")

    assert publish.page("v0.1.0") == "the page of v0.1.0 is written"
    assert publish.page("v0.1.0") == "the page of v0.1.0 is there already"

    ((path, headers, sent),) = pages.posted
    assert path == "/repos/team/orders/releases"
    assert headers["Authorization"] == "Bearer t0ken"
    assert sent["tag_name"] == "v0.1.0"
    assert "First release." in sent["body"]


@pytest.mark.usefixtures("released")
def test_gitlab_gets_the_page_of_a_release(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI_API_V4_URL", pages.address)
    monkeypatch.setenv("CI_PROJECT_ID", "7")
    monkeypatch.setenv("CI_JOB_TOKEN", "t0ken")

    publish.page("v0.1.0")

    ((path, headers, sent),) = pages.posted
    assert path == "/projects/7/releases"
    assert headers["JOB-TOKEN"] == "t0ken"
    assert "First release." in sent["description"]


@pytest.mark.usefixtures("released")
def test_a_page_that_is_refused_fails_and_says_that_it_may_be_repeated(
    pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Refused, match="no CI here"):
        publish.page("v0.1.0")
    monkeypatch.setenv("CI_API_V4_URL", pages.address)
    with pytest.raises(Refused, match="no CI_PROJECT_ID in the environment"):
        publish.page("v0.1.0")
    monkeypatch.setenv("CI_PROJECT_ID", "7")
    monkeypatch.setenv("CI_JOB_TOKEN", "t0ken")
    pages.status = 403
    with pytest.raises(Refused, match=r"answered 403.*safe to repeat"):
        publish.page("v0.1.0")
