import json
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi import FastAPI

from tests.ops import shipping
from vitals.ops.check import api
from vitals.ops.run import git, shell
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


@pytest.fixture
def last_release(somebody: Path, docs: Path, serves: Callable[..., None]) -> str:
    """A project whose last release, v1.2.0, serves /items and /orders, and now serves /items."""
    assert docs.is_relative_to(somebody)
    serves("/items", "/orders")
    api.write()
    git.git("add", "--all")
    git.git("commit", "--quiet", "--message=first")
    git.git("tag", "--annotate", "--message=v1.2.0", "v1.2.0")
    serves("/items")
    api.write()
    return "v1.2.0"


def test_what_breaks_clients_of_the_last_release_is_refused_with_both_fixes(
    last_release: str,
) -> None:
    with pytest.raises(Refused) as refused:
        api.check()

    assert f"1 changes break clients of {last_release}" in str(refused.value)
    assert "keep the old way" in refused.value.fix
    assert 'breaks = "clients' in refused.value.fix
    assert refused.value.output == "GET /orders: the path is gone"


def test_what_breaks_clients_may_be_on_record(last_release: str) -> None:
    shipping.change("changes/0001-orders.toml")
    with pytest.raises(Refused):
        api.check()
    with (shell.ROOT / "changes" / "0001-orders.toml").open("a") as record:
        record.write('breaks = "clients ask /items for orders"\n')

    assert f"1 breaking changes since {last_release}, on record" in api.check()


def test_a_record_of_an_earlier_release_is_none_of_this_one(
    last_release: str, serves: Callable[..., None]
) -> None:
    shipping.change("changes/0001-orders.toml")
    with (shell.ROOT / "changes" / "0001-orders.toml").open("a") as record:
        record.write('breaks = "clients ask /items for orders"\n')
    git.git("add", "--all")
    git.git("commit", "--quiet", "--message=second")
    git.git("tag", "--annotate", "--message=v2.0.0", "v2.0.0")
    serves("/things")
    api.write()

    with pytest.raises(Refused, match=r"1 changes break clients of v2\.0\.0"):
        api.check()
    assert last_release == "v1.2.0"


def test_a_release_without_a_description_has_no_clients_to_break(
    last_release: str, docs: Path
) -> None:
    git.git("rm", "--quiet", "-f", "docs/openapi.json")
    git.git("commit", "--quiet", "--message=none")
    git.git("tag", "--annotate", "--message=v1.3.0", "v1.3.0")
    docs.parent.mkdir(exist_ok=True)
    api.write()

    assert api.of(last_release)
    assert api.check() == "1 paths, as in docs/openapi.json"


def test_a_service_that_loses_its_last_path_is_refused(
    last_release: str, serves: Callable[..., None]
) -> None:
    serves("/livez")
    api.write()

    with pytest.raises(Refused, match=f"2 changes break clients of {last_release}"):
        api.check()
