"""The rehearsal on a target of files; tests/containers runs it on processes and containers."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

import pytest

from tests.ops.place import SLO, Answers, Place, answering, metrics
from vitals.ops.deploy import rehearse
from vitals.ops.deploy.staging import ThrowawayStaging
from vitals.ops.project.token import Issuer
from vitals.ops.release.releases import Build
from vitals.ops.run import git, shell
from vitals.ops.run.steps import Refused


class RehearsedPlace(Place):
    """A target whose broken build does no work; `careless`: and the smoke test passes it."""

    careless = False
    endures = False  # the build that fails under traffic

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        looks = count(1000, 100)

        def growing(version: str) -> str:
            requests = next(looks)
            return metrics(requests, requests * (version == "failing" and not self.endures))

        self.metrics = growing

    @contextmanager
    def reach(self, slot: str) -> Iterator[str]:
        is_broken = '"broken"' in (self.folder / slot).read_text()
        broken: Answers = {"/items": (500, {}), "/no-such-path": (500, {})}
        self.broken = broken if is_broken and not self.careless else {}
        with super().reach(slot) as url:
            yield url


@pytest.fixture
def target(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> RehearsedPlace:
    """A repository with a service to rehearse, and its target."""
    files = {"app/main.py": "", "config/slo.toml": SLO, ".gitignore": "build/\n"}
    files["deploy/compose.yaml"] = ""
    for name, text in {**files, "pyproject.toml": ""}.items():
        (repository / name).parent.mkdir(exist_ok=True)
        (repository / name).write_text(text)
    return RehearsedPlace(tmp_path_factory.mktemp("target"))


@pytest.fixture
def failing() -> Answers:
    """Wrong answers of the proxy, by path."""
    return {}


@pytest.fixture(autouse=True)
def staged(
    target: RehearsedPlace,
    failing: Answers,
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[None]:
    with ExitStack() as stack:

        def proxy_url() -> str:
            slot, _ = target.state()
            build = Build(*json.loads((target.folder / slot).read_text()))
            return stack.enter_context(answering(build, failing))

        @contextmanager
        def start(*_: object) -> Iterator[ThrowawayStaging]:
            folder = tmp_path_factory.mktemp("staging")
            nothing = "nothing real", "nearly all"
            yield ThrowawayStaging(target, proxy_url, *nothing, folder, Issuer())

        monkeypatch.setattr("vitals.ops.deploy.staging.start", start)
        monkeypatch.setattr("vitals.ops.deploy.rehearse.ENOUGH_REQUESTS", 8)
        monkeypatch.setattr("vitals.ops.deploy.watch.LOOK_SECONDS", 0.02)
        monkeypatch.setattr("vitals.ops.deploy.watch.WINDOW_SECONDS", 0)
        monkeypatch.setattr("vitals.ops.release.releases.FOLDER", repository / "build" / "releases")
        yield


def record() -> dict[str, object]:
    recorded: dict[str, object] = json.loads((shell.ROOT / "build/rehearsal.json").read_text())
    return recorded


def test_a_rehearsal_that_went_well_is_remembered_for_this_very_tree(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert rehearse.rehearse("process") == 0

    recorded = record()
    passed = (git.tree_hash(), True, "process")
    assert (recorded["tree"], recorded["ok"], recorded["mode"]) == passed
    assert recorded["failed"] == 0
    assert "not rehearsed: nearly all" in capsys.readouterr().out


def test_a_broken_build_that_goes_live_fails_the_rehearsal(
    target: RehearsedPlace, capsys: pytest.CaptureFixture[str]
) -> None:
    target.careless = True

    assert rehearse.rehearse("process") == 1

    assert record()["ok"] is False
    assert "a broken build went live" in capsys.readouterr().out


def test_a_build_that_fails_under_traffic_and_stays_live_fails_the_rehearsal(
    target: RehearsedPlace,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target.endures = True
    monkeypatch.setattr("vitals.ops.deploy.rehearse.WATCHED_MINUTES", 0.001)

    assert rehearse.rehearse("process") == 1

    assert record()["ok"] is False
    assert "a build that fails under traffic stayed live" in capsys.readouterr().out


def test_one_failed_request_fails_the_rehearsal_and_is_named_with_its_line_of_the_log(
    failing: Answers, capsys: pytest.CaptureFixture[str]
) -> None:
    failing["/items"] = (503, {"title": "away"})

    assert rehearse.rehearse("process") == 1

    assert record()["ok"] is False
    assert re.search(
        r"  GET /items\S*: 503, request (rehearsal-\w+)\nthe log of \w+ \1\n",
        capsys.readouterr().out,
    )


def test_the_last_release_is_where_it_starts_from(repository: Path) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@b")
    git.git("add", "--all")
    git.git(*who, "commit", "--quiet", "--message", "first")
    subprocess.run(["git", *who, "tag", "-a", "-m", "1", "v1.0.0"], cwd=repository, check=True)

    rehearse.rehearse("process")

    assert record()["from"] == "v1.0.0"


def test_without_a_repository_there_is_nothing_to_rehearse(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("vitals.ops.run.shell.ROOT", tmp_path / "not-there")

    with pytest.raises(Refused, match="no git repository"):
        rehearse.rehearse("process")


@pytest.mark.parametrize("mode", ["none", "kubernetes"])
def test_a_mode_that_can_not_be_rehearsed_is_refused(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODE", mode)

    with pytest.raises(Refused, match="compose or process"):
        rehearse.chosen_mode()


def test_without_a_mode_it_is_the_one_that_a_release_demands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("MODE", raising=False)

    assert rehearse.chosen_mode() == "process"


def test_without_a_path_the_traffic_asks_a_probe_and_no_request_is_lost(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "config" / "slo.toml").write_text("")

    assert rehearse.rehearse("process") == 0

    assert record()["failed"] == 0
    assert "nothing to test yet" in capsys.readouterr().out


def test_a_path_that_the_last_release_does_not_know_is_not_asked_of_it(
    repository: Path, failing: Answers
) -> None:
    (repository / "config" / "slo.toml").write_text("")
    who = ("-c", "user.name=a", "-c", "user.email=a@b")
    git.git("add", "--all")
    git.git(*who, "commit", "--quiet", "--message", "first")
    git.git(*who, "tag", "--annotate", "--message", "1", "v1.0.0")
    (repository / "config" / "slo.toml").write_text(SLO)
    failing["/items"] = (404, {"title": "Not Found"})

    assert rehearse.rehearse("process") == 0
