"""Pages about the other security schemes of the framework."""

import secrets
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Security
from fastapi.security import (
    APIKeyCookie,
    APIKeyHeader,
    APIKeyQuery,
    HTTPAuthorizationCredentials,
    HTTPBasic,
    HTTPBasicCredentials,
    HTTPBearer,
    HTTPDigest,
    OpenIdConnect,
)

from tests.engine.tutorial.pages import Asks, ask, page
from tests.engine.tutorial.security import bearer, challenges


@page("advanced/security/http-basic-auth")
def basic(app: FastAPI) -> Asks:
    security = HTTPBasic()

    def user(sent: Annotated[HTTPBasicCredentials, Depends(security)]) -> str:
        if not secrets.compare_digest(sent.password.encode(), b"secret"):
            raise HTTPException(401, "wrong", {"WWW-Authenticate": "Basic"})
        return sent.username

    @app.get("/me")
    def me(user: Annotated[str, Depends(user)]) -> str:
        return user

    return [
        ask("GET /me", '"ada"', auth=("ada", "secret")),
        ask("GET /me", challenges("Basic"), 401, auth=("ada", "x")),
        ask("GET /me", challenges("Basic"), 401),
    ]


@page("reference/security: HTTPBearer, HTTPDigest, OpenIdConnect")
def other_schemes(app: FastAPI) -> Asks:
    async def digest(sent: Annotated[HTTPAuthorizationCredentials, Depends(HTTPDigest())]) -> str:
        return sent.scheme

    async def bearer_of(
        sent: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())],
    ) -> str:
        return sent.credentials

    openid = OpenIdConnect(openIdConnectUrl="https://example.com/openid")

    async def of_openid(sent: Annotated[str, Depends(openid)]) -> str:
        return sent

    app.get("/digest")(digest)
    app.get("/bearer")(bearer_of)
    app.get("/openid")(of_openid)
    return [
        ask("GET /digest", '"Digest"', headers={"authorization": "Digest abc"}),
        ask("GET /bearer", '"abc"', headers=bearer("abc")),
        ask("GET /bearer", status=401, headers={"authorization": "Basic abc"}),
        ask("GET /openid", '"Bearer abc"', headers=bearer("abc")),
        ask("GET /openid", status=401),
    ]


@page("reference/security: APIKeyQuery, APIKeyHeader, APIKeyCookie")
def api_keys(app: FastAPI) -> Asks:
    kinds = {"query": APIKeyQuery, "header": APIKeyHeader, "cookie": APIKeyCookie}
    for name, kind in kinds.items():

        @app.get(f"/{name}")
        async def read(key: Annotated[str, Security(kind(name="x-key"))]) -> str:
            return key

    @app.get("/either")
    async def either(
        key: Annotated[str | None, Security(APIKeyQuery(name="key", auto_error=False))],
    ) -> str:
        return key or "none"

    return [
        ask("GET /query?x-key=a", '"a"'),
        ask("GET /header", '"a"', headers={"X-Key": "a"}),
        ask("GET /cookie", '"a"', headers={"cookie": "x-key=a"}),
        ask("GET /either", '"none"'),
        *[ask(f"GET /{name}", status=401) for name in kinds],
    ]
