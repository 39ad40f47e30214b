"""Confounders: a warning when more than one thing changed."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from vitals.ops.measure import compare
from vitals.ops.run import git


@pytest.mark.parametrize(
    ("files", "found"),
    [
        (
            ["app/items/routes.py", "app/items/store.py", "tests/unit/items/test_store.py"],
            ["app/items"],
        ),
        (["app/items/routes.py", "app/orders/routes.py"], ["app/items", "app/orders"]),
        (["app/main.py", "vitals/install.py"], ["app", "vitals"]),
        (["requirements.txt", "config/common.env"], ["config", "requirements.txt"]),
        (["config/slo.toml", "README.md", "vitals/ops/check/check.py", "changes/0001-a.toml"], []),
        (["migrations/versions/0003.py"], ["migrations"]),
    ],
)
def test_confounders_are_named_by_the_changed_files(files: list[str], found: list[str]) -> None:
    assert compare.changed(files) == found


def test_a_change_of_two_things_is_warned_of(
    somebody: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = SimpleNamespace(given_by="TEST_THING_URL")
    monkeypatch.setattr("vitals.ops.services.known", lambda: [server])
    monkeypatch.delenv(server.given_by, raising=False)
    for name in ("config/common.env", "app/items/routes.py"):
        (somebody / name).parent.mkdir(parents=True)
        (somebody / name).write_text("before")
    git.git("add", "--all")
    git.git("commit", "--quiet", "--message", "before")
    (somebody / "app/items/routes.py").write_text("after")
    assert compare.confounders("HEAD") == []

    (somebody / "config/common.env").write_text("after")

    assert compare.confounders("HEAD") == ["more than one thing changed: app/items, config"]
    monkeypatch.setenv(server.given_by, "thing://here")
    assert compare.confounders("HEAD")[1].startswith("both use the server at TEST_THING_URL")
