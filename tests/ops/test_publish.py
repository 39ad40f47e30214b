import json
import threading
from collections.abc import Callable, Iterator
from email.message import Message
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml

from tests.ops.shipping import commit
from vitals.ops.check.security.checklist import NotRun
from vitals.ops.release import publish
from vitals.ops.run import git, shell
from vitals.ops.run.steps import Refused

PROJECT = shell.ROOT


class Pages(HTTPServer):
    """A forge that keeps the pages of releases."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.address = f"http://127.0.0.1:{self.server_port}"
        self.requested: set[str] = set()
        self.posted: list[tuple[str, Message, dict[str, str]]] = []
        self.status = 201


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Pages)
        self.server.requested.add(self.path)
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
    for name in publish.PAGE_VARIABLES:
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
def test_a_lightweight_tag_is_refused() -> None:
    commit()
    git.git("tag", "v0.2.0")

    with pytest.raises(Refused, match="is a lightweight tag"):
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


def job_variables(file: str, *path: str | int, known: dict[str, str]) -> dict[str, str]:
    """Return the variables that a CI's file sets for the job, with that CI's own values."""
    found = yaml.safe_load((PROJECT / file).read_text())
    for key in path:
        found = found[key]
    filled = {}
    for name in publish.PAGE_VARIABLES:
        filled[name] = found[name]
        for word, value in known.items():
            filled[name] = filled[name].replace(word, value)
        assert "$" not in filled[name]
    return filled


def on_github(address: str) -> dict[str, str]:
    known = {
        "${{ github.api_url }}": address,
        "${{ github.repository }}": "team/orders",
        "${{ github.ref_name }}": "v0.1.0",
        "${{ github.token }}": "t0ken",
    }
    file = ".github/workflows/release.yml"
    return job_variables(file, "jobs", "page", "steps", -1, "env", known=known)


def on_gitlab(address: str) -> dict[str, str]:
    known = {
        "$CI_API_V4_URL": address,
        "$CI_PROJECT_ID": "7",
        "$CI_COMMIT_TAG": "v0.1.0",
        "$CI_JOB_TOKEN": "t0ken",
    }
    return job_variables(".gitlab-ci.yml", "release-page", "variables", known=known)


GITHUB = (on_github, "/repos/team/orders/releases", "tags/", "Authorization: Bearer t0ken", "body")
GITLAB = (on_gitlab, "/projects/7/releases", "", "JOB-TOKEN: t0ken", "description")


@pytest.mark.usefixtures("released")
@pytest.mark.parametrize(("ci", "path", "one", "header", "notes"), [GITHUB, GITLAB])
def test_a_forge_gets_the_page_of_a_release_once(
    pages: Pages,
    monkeypatch: pytest.MonkeyPatch,
    ci: Callable[[str], dict[str, str]],
    path: str,
    one: str,
    header: str,
    notes: str,
) -> None:
    for name, value in ci(pages.address).items():
        monkeypatch.setenv(name, value)

    assert publish.page("v0.1.0") == "the page of v0.1.0 is written"
    assert publish.page("v0.1.0") == "the page of v0.1.0 is there already"

    ((posted, headers, sent),) = pages.posted
    assert posted == path
    assert pages.requested == {f"{path}/{one}v0.1.0"}
    assert header in str(headers)
    assert sent["tag_name"] == "v0.1.0"
    assert "First release." in sent[notes]


@pytest.mark.usefixtures("released")
def test_a_page_that_the_forge_refuses_fails_and_is_safe_to_repeat(
    pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Refused, match="no PAGES, PAGE, PAGE_HEADER, PAGE_NOTES in the environment"):
        publish.page("v0.1.0")
    for name, value in on_gitlab(pages.address).items():
        monkeypatch.setenv(name, value)
    pages.status = 403
    with pytest.raises(Refused, match=r"answered 403.*safe to repeat"):
        publish.page("v0.1.0")


def test_the_packages_of_a_release_are_audited(
    released: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (released / "config").mkdir(exist_ok=True)
    accepted = released / "config" / "security-accepted.toml"
    accepted.write_text("")
    open_ones = [("httpx GHSA-1", "is open")]
    monkeypatch.setattr("vitals.ops.check.security.tools.advisories", lambda: open_ones)

    with pytest.raises(Refused) as refused:
        publish.audit("v0.1.0")
    assert refused.value.output == "httpx GHSA-1"

    accepted.write_text(
        '[[accepted]]\nid = "SEC-607"\nplace = "httpx GHSA-1"\nowner = "ada"\n'
        'reason = "not used"\nuntil = 2027-01-01\n'
    )
    assert publish.audit("v0.1.0") == "v0.1.0: no advisory is open"


def test_an_audit_that_nobody_answered_is_no_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> list[tuple[str, str]]:
        raise NotRun("no network")

    monkeypatch.setattr("vitals.ops.check.security.tools.advisories", away)

    with pytest.raises(Refused, match="not run, no network"):
        publish.audit("v0.1.0")
