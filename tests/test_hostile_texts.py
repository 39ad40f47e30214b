"""The hostile texts of a project: made for the team's own routes, and of use there."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests import baking

pytestmark = pytest.mark.slow
ROUTES = '''"""Routes of a team that has no objectives and no seed."""

import vitals
from fastapi import APIRouter, Security
from pydantic import BaseModel, Field

routes = APIRouter(prefix="/orders")


class Person(BaseModel):
    name: str = Field(max_length=100)


class Order(BaseModel):
    buyer: Person


@routes.post("", dependencies=[Security(vitals.caller, scopes=["orders:write"])])
async def order(new: Order) -> int:
    {body}
'''


def run(folder: Path, body: str, argument: str = "") -> subprocess.CompletedProcess[str]:
    project = baking.generate(folder, **baking.VARIANTS["plain"], _example="false")
    (project / "app" / "orders.py").write_text(ROUTES.replace("{body}", body))
    main = project / "app" / "main.py"
    text = main.read_text().replace("import vitals\n", "import vitals\nfrom app import orders\n", 1)
    text = text.replace(
        "    vitals.install(\n", "    app.include_router(orders.routes)\n    vitals.install(\n"
    )
    main.write_text(
        text.replace("required=REQUIRED_CHECKS,", f"required=REQUIRED_CHECKS,{argument}")
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0"]
    return subprocess.run(
        [*command, "tests/contract/test_hostile.py"],
        cwd=project,
        env=baking.environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_route_that_withstands_them_passes(tmp_path):
    done = run(tmp_path, "return len(new.buyer.name)")

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ('return len(new.buyer.name.encode("latin-1"))', "body.buyer.name"),
        ("return 1 // len(new.buyer.name)", "body.buyer.name"),
    ],
)
def test_a_nested_field_that_breaks_its_handler_is_found(tmp_path, body, place):
    done = run(tmp_path, body)

    assert done.returncode == 1, done.stdout
    assert f"operation='POST /orders', place='{place}'" in done.stdout


def test_texts_that_no_guard_lets_pass_are_no_pass(tmp_path):
    refuse = "\n        verify=orders.refuse,"
    more = "return 1\n\n\nasync def refuse(token: str) -> None: ..."

    done = run(tmp_path, more, refuse)

    assert done.returncode == 1, done.stdout
    assert "Fix: config/slo.toml, [login]" in done.stdout
