"""The watched switch on a target of files; tests/containers watches real processes."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from tests.ops.place import Place, metrics, release
from vitals.ops.deploy import deploy, history, targets, watch
from vitals.ops.release.releases import Build, Release
from vitals.ops.run import shell, steps
from vitals.ops.run.steps import Refused

MINUTES = 0.005  # good versions are waited for
LONG = 1  # as long as it takes until a bad one is found
# Deploys v2 over v1, and kills itself at the second look at it.
KILLED = """
import os, pathlib, signal, sys
from tests.ops.test_watch import MINUTES
from tests.ops.place import Place, release
from vitals.ops.deploy import deploy, watch, watch_read
from vitals.ops.release import releases
place = Place(pathlib.Path(sys.argv[1]))
releases.unpacked = lambda build, *_: release(build.version, place.folder.parent / build.version)
watch.LOOK_SECONDS = 0.02
looks = []
def look(*of, first=watch_read.look):
    looks.append(of)
    if len(looks) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return first(*of)
watch_read.look = look
deploy.deploy(place, release("v2", place.folder.parent / "v2"), MINUTES)
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A place where v1 is live, and looks that do not take long."""
    monkeypatch.setattr(
        "vitals.ops.release.releases.unpacked",
        lambda build, *_: Release(build, tmp_path / build.version, "staging"),
    )
    monkeypatch.setattr("vitals.ops.deploy.watch.LOOK_SECONDS", 0.02)
    monkeypatch.setattr("vitals.ops.deploy.watch.WINDOW_SECONDS", 0.2)
    monkeypatch.setattr("vitals.ops.run.steps.detach", lambda: None)
    place = Place(tmp_path / "place")
    for version in ("v1", "v2", "v3"):
        release(version, tmp_path / version)
    deploy.deploy(place, release("v1", tmp_path / "v1"))
    return place


def deploy_version(place: Place, version: str = "v2", minutes: float = MINUTES) -> history.Entry:
    return deploy.deploy(place, release(version, place.folder.parent / version), minutes)


def failing(of: str, share: float = 0.5) -> Callable[[str], str]:
    """Metrics that grow by 100 requests at each look; a share of one version's fail."""
    looks = count()

    def text(version: str) -> str:
        requests = 1000 + 100 * next(looks)
        return metrics(requests, int(requests * share) if version == of else 0)

    return text


def once_live(place: Place, do: Callable[[], object]) -> Callable[[str], str]:
    """Metrics that do something at the second look after the switch."""
    looks = count()

    def text(_: str) -> str:
        if place.state()[0] == "green" and next(looks) == 1:
            do()
        return metrics()

    return text


def live(place: Place) -> list[history.Entry]:
    return deploy.live(place)


def test_a_version_that_is_good_to_the_end_stays(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place.metrics = failing("none")

    entry = deploy_version(place)

    assert (entry.version, entry.is_open) == ("v2", False)
    assert "not watched" not in str(live(place)[-1])
    assert "watched to its end: " in capsys.readouterr().out


def test_a_version_that_fails_under_traffic_goes_back_and_is_marked_bad_with_the_numbers(
    place: Place,
) -> None:
    place.metrics = failing("v2")

    with pytest.raises(Refused, match=r"v2 went back to v1, .*: /items: \d+ of \d+ requests \(50"):
        deploy_version(place, minutes=LONG)

    last = live(place)[-1]
    assert (last.version, last.left, last.what) == ("v1", "v2", "rollback")
    assert "requests (50.00%) failed; before, 0 of " in last.reason
    assert place.tidied == ["v1", "v2", "v1"]
    with pytest.raises(Refused, match="v2 is marked bad"):
        deploy_version(place)


@pytest.mark.parametrize("worse", [{"started": 2}, {"memory": 400 << 20}])
def test_a_replica_that_restarts_or_grows_is_reason_enough(
    worse: dict[str, int], place: Place
) -> None:
    looks = count()
    place.metrics = lambda v: metrics(**worse if v == "v2" and next(looks) > 2 else {})

    with pytest.raises(
        Refused, match=r"green (has restarted|uses 400 MiB of memory; before, .*90)"
    ):
        deploy_version(place, minutes=LONG)


def test_a_version_that_ends_goes_back(place: Place) -> None:
    place.metrics = once_live(place, lambda: place.stop("green"))

    with pytest.raises(Refused, match="it has ended"):
        deploy_version(place, minutes=LONG)

    assert live(place)[-1].version == "v1"


def test_an_outage_that_the_old_version_has_too_is_not_the_new_ones_fault(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place.metrics = failing("v2")
    monkeypatch.setattr("vitals.ops.deploy.watch_read.outage", lambda *_: True)

    assert deploy_version(place, minutes=6 * MINUTES).version == "v2"  # two looks on a busy machine
    assert "looks not judged: the old version failed too" in capsys.readouterr().out


@pytest.mark.parametrize("path", ["/readyz", "/items"])
def test_the_old_version_fails_when_it_is_not_ready_or_does_no_work(
    path: str, place: Place, tmp_path: Path
) -> None:
    old = Release(Build("v1", "commit-of-v1"), tmp_path / "v1", "staging")
    sides = watch.Watch(place, old, old, "green", "blue")
    assert not watch.watch_read.outage(sides, 0.05)

    place.broken = {path: (503, {})}

    assert watch.watch_read.outage(sides, 0.05)


def test_an_old_version_that_has_gone_excuses_nothing(place: Place, tmp_path: Path) -> None:
    old = Release(Build("v1", "commit-of-v1"), tmp_path / "v1", "staging")
    place.stop("blue")

    assert not watch.watch_read.outage(watch.Watch(place, old, old, "green", "blue"), 0.05)


def killed(place: Place) -> None:
    """Leave v2 live, with its watch open."""
    ours = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [shell.PYTHON, "-c", KILLED, str(place.folder)]
    done = subprocess.run(command, cwd=shell.ROOT, env=ours, check=False)
    assert done.returncode == -signal.SIGKILL


def test_killed_during_the_watch_the_same_command_goes_on_with_it_and_starts_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed(place)
    assert "v2  deploy by " in str(live(place)[-1])
    assert "not watched to its end" in str(live(place)[-1])
    started: list[str] = []
    monkeypatch.setattr(place, "start", lambda _, slot: started.append(slot))

    entry = deploy_version(place)

    assert started == []
    assert all(place.running(slot) for slot in place.slots), "the old one is no longer warm"
    assert "not watched" not in str(entry)


def test_killed_during_the_watch_a_bad_version_goes_back_later(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed(place)
    monkeypatch.setattr("vitals.ops.deploy.watch.WINDOW_SECONDS", 60)
    place.metrics = failing("v2")

    with pytest.raises(Refused, match="v2 went back to v1"):
        deploy_version(place, minutes=LONG)


def test_another_version_is_refused_while_a_watch_is_open(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed(place)

    with pytest.raises(Refused, match="v2 is live and not watched to its end"):
        deploy_version(place, "v3", LONG)

    monkeypatch.setenv("SUPERSEDE", "1")
    deploy_version(place, "v3")
    printed = [str(entry) for entry in live(place)]
    assert ["not watched to its end" in line for line in printed] == [False, True, False]


def test_a_bad_mark_can_be_lifted_while_a_watch_is_open(place: Place) -> None:
    place.metrics = failing("v3")
    with pytest.raises(Refused, match="v3 went back"):
        deploy_version(place, "v3", LONG)
    place.metrics = failing("v2", 0)
    killed(place)

    deploy.lift(place, "v3")

    assert live(place)[-1].is_open
    assert deploy_version(place).version == "v2"


def test_what_cannot_be_read_is_refused_before_the_switch(place: Place) -> None:
    place.broken = {"/metrics": (401, {})}

    with pytest.raises(Refused, match="stopped at baseline: what was live is still live"):
        deploy_version(place, minutes=LONG)

    assert live(place)[-1].version == "v1"
    assert not place.running("green")


def test_an_old_version_that_cannot_be_read_does_not_stop_what_repairs_it(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = place.replicas

    @contextmanager
    def replicas(slot: str) -> Iterator[list[targets.Replica]]:
        if slot == "blue":
            raise Refused("no answer")
        with reads(slot) as found:
            yield found

    monkeypatch.setattr(place, "replicas", replicas)

    assert deploy_version(place).version == "v2"


def test_the_first_version_and_the_same_once_more_are_not_watched(
    place: Place, tmp_path: Path
) -> None:
    first = Place(tmp_path / "another")
    assert deploy.deploy(first, release("v1", tmp_path / "v1"), MINUTES).watch == {}
    place.stop("blue")
    assert deploy_version(place, "v1").watch == {}


@pytest.mark.parametrize(
    ("answered", "left_live"), [(True, "v1"), (False, "v2")], ids=["go back", "leave it"]
)
def test_ctrl_c_at_a_terminal_asks_whether_to_go_back(
    answered: bool, left_live: str, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt(monkeypatch)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    questions: list[str] = []
    monkeypatch.setattr(steps, "ask", lambda q: questions.append(q) or answered)

    if answered:
        with pytest.raises(Refused, match="v2 went back to v1"):
            deploy_version(place, minutes=LONG)
    else:
        assert "not watched to its end" in str(deploy_version(place, minutes=LONG))

    assert questions == ["\ngo back to v1, and mark v2 bad? no: v2 stays, unwatched"]
    assert live(place)[-1].version == left_live
    assert not live(place)[-1].is_open


def test_ctrl_c_without_a_terminal_leaves_the_watch_open(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt(monkeypatch)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)

    with pytest.raises(KeyboardInterrupt):
        deploy_version(place, minutes=LONG)

    assert live(place)[-1].is_open
    assert all(place.running(slot) for slot in place.slots)


def interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    def outage(*_: object) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr("vitals.ops.deploy.watch_read.outage", outage)


def test_a_lost_connection_does_not_end_the_watch(place: Place) -> None:
    before = signal.getsignal(signal.SIGHUP)
    place.metrics = once_live(place, lambda: os.kill(os.getpid(), signal.SIGHUP))

    assert "not watched" not in str(deploy_version(place))
    assert signal.getsignal(signal.SIGHUP) == before


def test_a_rollback_by_hand_need_not_wait_for_the_watch_and_ends_it(place: Place) -> None:
    def roll_back() -> None:
        with place.alone():  # the lock is free while the new version is only looked at
            deploy.rollback(place, "staging", lambda _: True)

    place.metrics = once_live(place, roll_back)

    with pytest.raises(Refused, match="v1 was made live meanwhile"):
        deploy_version(place, minutes=LONG)


def test_when_going_back_fails_the_command_that_goes_back_is_named(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.metrics = failing("v2")

    def refuse(*_: object) -> None:
        raise Refused("the host is full")

    switch = place.switch
    monkeypatch.setattr(place, "switch", lambda s, h: refuse() if s == "blue" else switch(s, h))

    with pytest.raises(Refused, match=r"v2 is worse: /items: .* `make rollback ENV=staging`"):
        deploy_version(place, minutes=LONG)


@pytest.mark.parametrize(
    ("given", "table", "expected"),
    [("", "", 10), ("", "[watch]\nminutes = 3\n", 3), ("0", "[watch]\nminutes = 3\n", 0)],
)
def test_the_minutes_are_those_of_the_command_or_of_the_release(
    given: str, table: str, expected: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCH", given)
    about = release("v2", tmp_path)
    file = tmp_path / "config" / "slo.toml"
    file.write_text(f"{file.read_text()}{table}")

    assert watch.minutes(about) == expected


@pytest.mark.parametrize("given", ["-1", "ten", "inf", "nan"])
def test_minutes_that_are_none_are_refused(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCH", given)

    with pytest.raises(Refused, match=f"WATCH={given}"):
        watch.minutes(release("v2", tmp_path))
