"""The step `api` of a generated project whose example changed since its last release."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.baking import VARIANTS, environment, generate, tag

pytestmark = pytest.mark.slow

CHANGES = {
    "method": (
        ("routes.py", '@routes.delete("/{item_id}"', '@routes.delete("/{item_id}/all"'),
        "DELETE /items/{item_id}: the method is gone",
    ),
    "bounds": (
        ("models.py", "max_length=200", "max_length=100"),
        "POST /items: request body.name: maxLength is narrower",
    ),
    "required": (
        ("models.py", "    price: Amount\n", "    price: Amount\n    currency: Line\n"),
        "PUT /items/{item_id}: request body: field currency is now required",
    ),
    "answer": (
        ("models.py", "    next: int | None\n", "    following: int | None\n"),
        "GET /items: answer 200: field next is gone",
    ),
    "nullable": (
        ("models.py", "    id: int\n", "    id: int | None\n"),
        "GET /items/{item_id}: answer 200.id: may be null, was integer",
    ),
    "parameter": (
        ("models.py", "limit: int = Field(20,", "limit: int = Field("),
        "GET /items: query limit: now required",
    ),
    "status": (
        ("routes.py", "status_code=201", "status_code=200"),
        "POST /items: answer 201: gone, now 200",
    ),
    "security": (
        (
            "routes.py",
            '@routes.get("", openapi_extra=PUBLIC)',
            '@routes.get("", dependencies=may_write)',
        ),
        "GET /items: security: now requires http bearer items:write",
    ),
}
COMPATIBLE = {
    "description": ("models.py", "how many at most", "how many items at most"),
    "wider": ("models.py", "max_length=200", "max_length=300"),
    "optional": ("models.py", "    price: Amount\n", '    price: Amount\n    note: Line = ""\n'),
    "answer": ("models.py", "    id: int\n", "    id: int\n    stock: int = 0\n"),
    "name": ("routes.py", "async def list_items", "async def page_of_items"),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a release."""
    made = generate(tmp_path_factory.mktemp("project"), **VARIANTS["plain"])
    run(made, "vitals.ops.check.api", "write")
    tag(made, "v1.0.0")
    return made


def run(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=project,
        # Python takes a file of the same second and size for the one that it compiled.
        env=environment(PYTHONPATH=str(project), PYTHONDONTWRITEBYTECODE="1"),
        capture_output=True,
        text=True,
        check=False,
    )


def checked(project: Path, change: tuple[str, str, str]) -> subprocess.CompletedProcess[str]:
    """What the step says of a change, once the description is written anew."""
    name, old, new = change
    file = project / "app" / "items" / name
    before = file.read_text()
    assert old in before
    file.write_text(before.replace(old, new))
    try:
        run(project, "vitals.ops.check.api", "write")
        return run(project, "vitals.ops.check.check", "api")
    finally:
        file.write_text(before)


@pytest.mark.parametrize(("change", "said"), CHANGES.values(), ids=CHANGES)
def test_a_change_that_breaks_clients_fails_the_check_of_a_project(
    project: Path, change: tuple[str, str, str], said: str
) -> None:
    done = checked(project, change)

    assert said in done.stdout
    assert "break clients of v1.0.0" in done.stdout
    assert done.returncode == 1


@pytest.mark.parametrize("change", COMPATIBLE.values(), ids=COMPATIBLE)
def test_a_change_that_no_client_notices_passes_the_check_of_a_project(
    project: Path, change: tuple[str, str, str]
) -> None:
    done = checked(project, change)

    assert done.returncode == 0, done.stdout + done.stderr
