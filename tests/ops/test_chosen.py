"""Which release a command takes: pinned to an image, fit for its place."""

from pathlib import Path

import pytest

from tests.ops.place import Place
from vitals.ops.deploy import chosen, history
from vitals.ops.release.releases import Build, Release
from vitals.ops.run.steps import Refused

DIGEST = f"sha256:{'0a' * 32}"
OTHER = f"sha256:{'0b' * 32}"
IMAGE = '[tool.vitals]\nimage = "registry.example/orders"\n'


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place(tmp_path / "place")
    place.folder.mkdir()
    return place


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of v1.2.0, whose image the registry built from its commit."""
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "common.env").write_text("APP_PORT=8000\n")
    for name in ("staging", "production"):
        (tmp_path / "config" / f"{name}.env").write_text("APP_ALLOWED_HOSTS=orders.example\n")
    (tmp_path / "pyproject.toml").write_text(IMAGE)
    monkeypatch.setenv("VERSION", "v1.2.0")
    monkeypatch.setattr(
        "vitals.ops.release.releases.released",
        lambda version, environment, _: Release(Build(version, "c0ffee"), tmp_path, environment),
    )
    monkeypatch.setattr("vitals.ops.deploy.registry.resolve", lambda *_: DIGEST)
    monkeypatch.setattr("vitals.ops.deploy.registry.commit", lambda *_: "c0ffee")
    return tmp_path


@pytest.mark.usefixtures("files")
def test_the_tag_is_resolved_to_a_digest(place: Place) -> None:
    assert chosen.release(place, "staging").image == f"registry.example/orders@{DIGEST}"


@pytest.mark.usefixtures("files")
def test_a_digest_that_is_given_is_taken(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGEST", OTHER)

    assert chosen.release(place, "staging").image == f"registry.example/orders@{OTHER}"


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("digest", ["sha256:0a", "latest", f"{DIGEST} ", f"SHA256:{'0a' * 32}"])
def test_what_is_no_digest_is_refused(
    digest: str, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGEST", digest)

    with pytest.raises(Refused, match="64 hexadecimal digits"):
        chosen.release(place, "staging")


@pytest.mark.usefixtures("files")
def test_an_image_of_another_commit_is_refused(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vitals.ops.deploy.registry.commit", lambda *_: "0ther")

    with pytest.raises(Refused, match="was built from 0ther; expected c0ffee"):
        chosen.release(place, "staging")


@pytest.mark.usefixtures("files")
def test_production_takes_what_staging_ran(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    staging = Place(tmp_path / "staging")
    staging.folder.mkdir()
    ran = f"registry.example/orders@{OTHER}"
    entry = history.Entry("deploy", "v1.2.0", "c0ffee", "blue", image=ran)
    staging.switch("blue", history.written([entry]))
    monkeypatch.setattr("vitals.ops.deploy.targets.of_project", lambda _: staging)

    assert chosen.release(place, "production").image == ran


def test_without_an_image_in_the_project_the_host_builds(
    files: Path, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    (files / "pyproject.toml").write_text("")

    assert chosen.release(place, "staging").image == ""
    monkeypatch.setenv("DIGEST", DIGEST)
    with pytest.raises(Refused, match="no image in"):
        chosen.release(place, "staging")


@pytest.mark.parametrize(
    ("file", "text", "named"),
    [
        ("config/staging.env", "APP_ALLOWED_HOSTS=staging.internal\n", "APP_ALLOWED_HOSTS"),
        ("config/staging.env", "APP_A=https://login.staging.internal/x\n", "staging.env:1 APP_A"),
        ("pyproject.toml", IMAGE.replace(".example", ".internal"), "pyproject.toml image"),
    ],
)
def test_a_placeholder_of_a_new_project_is_refused_by_name(
    file: str, text: str, named: str, files: Path, place: Place
) -> None:
    (files / file).write_text(text)

    with pytest.raises(Refused, match=named):
        chosen.release(place, "staging")


@pytest.mark.usefixtures("files")
def test_production_goes_forward_only(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vitals.ops.deploy.targets.of_project", lambda _: place)
    newer = history.Entry("deploy", "v1.10.0", "beef", "blue")
    place.switch("blue", history.written([newer]))

    with pytest.raises(Refused, match=r"v1\.2\.0 is older than v1\.10\.0"):
        chosen.release(place, "production")
    assert chosen.release(place, "staging").build.version == "v1.2.0"
