"""Users and a log-in of a team's own, as docs/users.md shows them, under `make security`."""

from pathlib import Path

import pytest

from tests import baking, walk
from tests.ops.security.test_planted import look

pytestmark = pytest.mark.slow

ROUTES = Path("app/users/routes.py")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    project = walk.repository(baking.generate(tmp_path, **baking.VARIANTS["database"]))
    walk.run(project, "python3 -m vitals.ops.project.remove_example")
    walk.play(project / "docs" / "users.md", project, without=("make ", ".venv/"))
    return project


def change(project: Path, was: str, becomes: str) -> None:
    file = project / ROUTES
    assert was in file.read_text()
    file.write_text(file.read_text().replace(was, becomes))


def test_a_dependency_that_asks_the_database_for_the_user_is_reached_and_no_finding(
    project: Path,
) -> None:
    seen = look(project)

    assert (seen.code, seen.lines) == (0, []), seen.last
    assert "no request reached" not in seen.last


def test_what_such_a_route_logs_and_answers_is_looked_at(project: Path) -> None:
    change(project, "        return user\n", "        print(user.name)\n        return user\n")
    change(project, "who: MayWrite, new: About", "new: About")

    assert {id_ for id_, _ in look(project).places} >= {"SEC-504", "SEC-101"}


def test_a_token_that_anyone_can_sign_is_a_finding(project: Path) -> None:
    signer = project / "app/users/tokens.py"
    text = signer.read_text().replace("options=required)", 'options={"verify_signature": False})')
    signer.write_text(text)

    assert ("SEC-102", "PUT /users/me of an unknown issuer") in [
        (id_, place.partition(",")[0]) for id_, place in look(project).places
    ]
