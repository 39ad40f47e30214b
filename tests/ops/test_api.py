import json
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi import FastAPI

from vitals.ops.check import api
from vitals.ops.run.steps import Refused
from vitals.settings import Settings


@pytest.fixture
def docs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("vitals.ops.run.shell.ROOT", tmp_path)
    (tmp_path / "docs").mkdir()
    return tmp_path / "docs" / "openapi.json"


@pytest.fixture
def serves(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let the application have these paths."""

    def paths(*names: str) -> None:
        def create_app(settings: Settings) -> FastAPI:
            app = FastAPI(title="Größe", version=settings.version)
            for name in names:
                app.get(name)(lambda: None)
            return app

        named = {"settings": Settings, "application": create_app}
        monkeypatch.setattr("vitals.ops.run.project_file.load", named.__getitem__)

    return paths


def test_what_is_written_is_fresh(docs: Path, serves: Callable[..., None]) -> None:
    serves("/items", "/items/{item_id}")
    api.write()

    assert api.check() == "2 paths, as in docs/openapi.json"
    assert "Größe" in docs.read_text()


def test_a_path_that_is_not_described_yet_is_refused(
    docs: Path, serves: Callable[..., None]
) -> None:
    serves("/items")
    api.write()
    serves("/items", "/orders")

    with pytest.raises(Refused, match=r"openapi\.json is stale.*Fix: `make format`"):
        api.check()

    assert list(json.loads(docs.read_text())["paths"]) == ["/items"]


@pytest.mark.usefixtures("docs")
def test_a_description_that_was_never_written_is_refused(serves: Callable[..., None]) -> None:
    serves("/items")

    with pytest.raises(Refused, match=r"openapi\.json is missing"):
        api.check()


def test_a_service_without_a_path_of_its_own_has_no_description(
    docs: Path, serves: Callable[..., None]
) -> None:
    serves("/items")
    api.write()
    serves("/livez", "/readyz", "/health")
    api.write()

    assert not docs.exists()
    assert api.check() == "nothing to test yet"


def test_the_description_holds_whatever_the_shell_says(
    docs: Path, serves: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    serves("/items")
    api.write()
    monkeypatch.setenv("APP_VERSION", "v9.9.9")

    api.check()

    assert json.loads(docs.read_text())["info"]["version"] == "dev"
