"""Every page of FastAPI's tutorial works on the generated service, and is seen by the engine."""

import importlib
import pkgutil
from pathlib import Path

import pytest

from tests.engine.tutorial.pages import DIFFERENCES, PAGES, run

FOLDER = Path(__file__).parent / "tutorial"
for module in pkgutil.iter_modules([str(FOLDER)]):
    importlib.import_module(f"tests.engine.tutorial.{module.name}")


@pytest.mark.parametrize("name", PAGES)
async def test_a_page_of_the_tutorial_works_on_the_generated_service(
    name: str, tmp_path: Path
) -> None:
    await run(PAGES[name], tmp_path)


def test_a_page_differs_only_where_the_contract_says_so() -> None:
    assert {each for page in PAGES.values() for each in page.differs} == DIFFERENCES.keys()
