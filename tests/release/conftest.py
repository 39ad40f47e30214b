"""A world for each test: a project, its remote, and git as a stranger's machine has it."""

import contextlib
import functools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import baking
from tests.release.world import World, daemon, prepared

GIT = '[user]\nname = Ada\nemail = ada@example.com\n[protocol "file"]\nallow = always\n'


@functools.cache
def _made() -> Path:
    folder = Path(tempfile.mkdtemp(dir=baking.SCRATCH))
    prepared(folder)
    return folder


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A released project with one change since: v0.2.0 may leave."""
    (tmp_path / "gitconfig").write_text(GIT)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    shutil.copytree(_made(), tmp_path / "world", symlinks=True)
    world = World(tmp_path / "world").passed()
    yield world
    world.go_on()  # whoever is held still


@pytest.fixture(params=["path", "network"])
def remote(world: World, request: pytest.FixtureRequest) -> Iterator[World]:
    """The same world, with its remote over a path and over git://."""
    with contextlib.ExitStack() as stack:
        if request.param == "network":
            address = stack.enter_context(daemon(world.folder))
            world.git("remote", "set-url", "origin", f"{address}/origin")
        yield world
        world.go_on()


@pytest.fixture
def second(world: World) -> Callable[[], World]:
    """Somebody else's clone."""

    def clone(*options: str) -> World:
        folder = world.folder / "second"
        folder.mkdir()
        world.git("clone", "--quiet", *options, f"file://{world.origin}", str(folder / "project"))
        other = World(folder)
        other.origin = world.origin
        return other.passed()

    return clone
