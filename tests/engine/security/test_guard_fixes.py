"""The guard's advice: each fix is pasted as it stands, and the application starts."""

from pathlib import Path

import pytest
from fastapi import FastAPI, Security
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

import vitals
from tests.engine.security.test_guard import deployed, faults, folder_with_page, page, ws

USED = (vitals, Security, StaticFiles, Response, deployed, page, ws)
IN_SOURCES = {each.__name__: each for each in USED}
# The source of an application; a fix is pasted behind the last argument of what it adds.
SOURCES = {
    "a route": ('app.get("/a")(page)', 2),
    "a websocket": ('app.websocket("/ws")(ws)', 2),
    "a mounted application": ('sub.get("/a")(page); app.mount("/sub", sub)', 2),
    "static files": ('app.mount("/static", StaticFiles(directory=folder))', 1),
    "a frontend": ('app.frontend("/ui", directory=folder)', 1),
    "a route of Starlette": ('app.add_route("/bare", lambda _: Response())', 1),
}


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("given", ["", ', public=["/other"]'])
def test_each_fix_is_a_line_that_is_pasted_and_then_it_starts(
    kind: str, given: str, tmp_path: Path
) -> None:
    source, fixes = SOURCES[kind]

    def start(added: str, options: str) -> list[str]:
        app, names = FastAPI(), IN_SOURCES | {"folder": folder_with_page(tmp_path)}
        names |= {"app": app, "sub": FastAPI(openapi_url=None)}
        exec(f"{added}\nvitals.install(app, deployed(){options})", names)
        return faults(app)

    [line] = start(source, given)
    pasted = line.partition("Fix: ")[2].split(", or ")

    assert len(pasted) == fixes
    for fix in pasted:
        argument = fix.removesuffix(" in vitals.install")
        if argument != fix:
            assert start(source, f", {argument}") == []
        else:
            assert start(source.replace(")", f", {fix})", 1), given) == []
