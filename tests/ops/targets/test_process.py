from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from vitals.ops.deploy import smoke
from vitals.ops.deploy.targets import caddy, process
from vitals.ops.deploy.targets.process import Processes
from vitals.ops.release.releases import Build, Release
from vitals.ops.run import shell
from vitals.ops.run.steps import Refused

# Answers with its own settings, in place of a service.
SERVICE = """
import http.server, json, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({k: v for k, v in os.environ.items() if k.startswith("APP_")}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)
http.server.HTTPServer(("127.0.0.1", int(os.environ["APP_PORT"])), Handler).serve_forever()
"""


@pytest.fixture
def release(tmp_path: Path) -> Release:
    folder = tmp_path / "release"
    for name in ("app", "config"):
        (folder / name).mkdir(parents=True)
    (folder / "app" / "__main__.py").write_text(SERVICE)
    (folder / "config" / "common.env").write_text("APP_PORT=8000\nAPP_DOCS=false\n")
    secret = "APP_OPS_TOKEN=secret://ops_token\nAPP_THING_URL=secret://thing\n"
    (folder / "config" / "staging.env").write_text(secret)
    return Release(Build("v1.2.0", "c0ffee"), folder, "staging")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Processes]:
    monkeypatch.setattr("vitals.ops.deploy.targets.process._python", lambda _: Path(shell.PYTHON))
    monkeypatch.setattr("vitals.ops.deploy.targets.process._caddy", lambda: Path("sleep"))
    folder = tmp_path / "folder"
    folder.mkdir()
    with ExitStack() as stack:
        yield Processes(folder, {"APP_AUTH": "jwt"}, {"APP_THING_URL": "thing://here"}, stack)


def test_a_slot_runs_the_release_with_its_own_settings_but_for_what_is_adapted(
    place: Processes, release: Release
) -> None:
    slot = place.slots[0]
    place.start(release, slot)

    with place.reach(slot) as url:
        smoke.wait_until_ready(url, lambda: place.running(slot), release)
        said = smoke.httpx.get(url).json()

    assert said["APP_DOCS"] == "false"
    assert said["APP_PORT"] == slot
    assert said["APP_AUTH"] == "jwt"
    assert said["APP_VERSION"] == "v1.2.0"
    place.stop(slot)
    assert not place.running(slot)


def test_what_ends_by_itself_does_not_run_and_leaves_its_last_words(
    place: Processes, release: Release
) -> None:
    (release.folder / "app" / "__main__.py").write_text("raise SystemExit('no such setting')")
    slot = place.slots[1]

    place.start(release, slot)

    with place.reach(slot) as url, pytest.raises(Refused):
        smoke.wait_until_ready(url, lambda: place.running(slot), release)
    assert place.log(slot) == "no such setting"


def test_a_migration_runs_in_the_folder_of_the_release_and_with_its_code(
    place: Processes, release: Release
) -> None:
    """So a release works whose code lies elsewhere than this engine's."""
    program = release.folder / "alembic" / "__main__.py"
    program.parent.mkdir()
    (program.parent / "__init__.py").touch()
    program.write_text("import pathlib, sys\npathlib.Path('ran').write_text(str(sys.argv[1:]))")

    place.migrate(release)

    assert (release.folder / "ran").read_text() == "['upgrade', 'head']"
    program.write_text("raise SystemExit('no such column')")
    with pytest.raises(Refused, match="the migration failed") as refused:
        place.migrate(release)
    assert "no such column" in refused.value.output


def test_another_python_gets_packages_of_its_own(
    release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[str] = []
    (release.folder / "requirements.txt").touch()
    monkeypatch.setattr(process, "RUNTIMES", tmp_path / "runtimes")
    monkeypatch.setattr("vitals.ops.project.setup.uv", lambda: "uv")

    def uv(command: list[str | Path], *_: object) -> str:
        if command[1] == "venv":
            Path(command[-1]).mkdir(parents=True)
            used.append(str(command[-1]))
        return ""

    monkeypatch.setattr("vitals.ops.run.shell.check_output", uv)
    with ExitStack() as stack:
        place = Processes(tmp_path, {}, {}, stack)
        for version in ("3.14.0", "3.14.0", "3.11.2"):
            monkeypatch.setattr("sys.version", version)
            place.prepare(release)

    assert len(used) == len(set(used)) == 2


def test_what_is_switched_is_what_is_live(place: Processes) -> None:
    assert place.state() == ("", "")

    place.switch(place.slots[1], "[]")

    assert place.state() == (place.slots[1], "[]")


def test_every_secret_gets_a_file_the_known_and_the_random(
    place: Processes, release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (release.folder / "deploy").mkdir()
    front = (shell.ROOT / "deploy" / "caddy.json").read_text()
    (release.folder / "deploy" / "caddy.json").write_text(front)
    monkeypatch.setattr(place, "_run", lambda *_: None)

    place.open(release)

    secrets = tmp_path / "folder" / "secrets"
    assert (secrets / "thing").read_text() == "thing://here"
    assert len((secrets / "ops_token").read_text()) > 30


def test_the_proxy_of_the_rehearsal_is_that_of_a_host_on_other_addresses() -> None:
    template = shell.ROOT / "deploy" / "caddy.json"

    text = caddy.adapted(template, "http://127.0.0.1:9", Path("/f"))

    assert "127.0.0.1:{file./f/slot}" in text
    assert '"listen": ["127.0.0.1:9"]' in text
    assert "/run/live" not in text
