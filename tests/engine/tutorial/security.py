"""Pages about security: the framework's own classes, beside `vitals.caller`."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import jwt
from fastapi import Depends, FastAPI, Form, HTTPException, Security
from fastapi.security import (
    OAuth2PasswordBearer,
    OAuth2PasswordRequestForm,
    SecurityScopes,
)

from tests.engine.tutorial.pages import Asks, ask, page
from vitals import Caller, caller

Token = Annotated[str, Depends(OAuth2PasswordBearer(tokenUrl="token"))]
KEY = "a-key-of-this-test-with-at-least-32-bytes"


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def challenges(scheme: str) -> Any:
    return lambda answer: answer.headers["www-authenticate"].startswith(scheme)


@page("tutorial/security/first-steps")
def first_steps(app: FastAPI) -> Asks:
    @app.get("/teas")
    async def teas(token: Token) -> str:
        return token

    def described(app: FastAPI) -> None:
        schemes = app.openapi()["components"]["securitySchemes"]
        assert schemes["OAuth2PasswordBearer"]["flows"]["password"]["tokenUrl"] == "token"

    return [
        ask("GET /teas", '"abc"', headers=bearer("abc")),
        ask("GET /teas", challenges("Bearer"), 401),
        described,
    ]


@page("tutorial/security/get-current-user")
def current_user(app: FastAPI) -> Asks:
    async def user(token: Token) -> dict[str, str]:
        if token != "ada-token":
            raise HTTPException(401, "no such token", {"WWW-Authenticate": "Bearer"})
        return {"name": "ada"}

    @app.get("/me")
    async def me(user: Annotated[dict[str, str], Depends(user)]) -> dict[str, str]:
        return user

    return [
        ask("GET /me", {"name": "ada"}, headers=bearer("ada-token")),
        ask("GET /me", challenges("Bearer"), 401, headers=bearer("other")),
    ]


@page("tutorial/security/simple-oauth2", differs=["error shape"])
def simple_oauth2(app: FastAPI) -> Asks:
    @app.post("/token")
    async def token(form: Annotated[OAuth2PasswordRequestForm, Depends()]) -> dict[str, str]:
        if (form.username, form.password) != ("ada", "secret"):
            raise HTTPException(400, "wrong name or password")
        return {"access_token": " ".join(form.scopes), "token_type": "bearer"}

    sent = {"grant_type": "password", "username": "ada", "password": "secret", "scope": "me teas"}
    return [
        ask("POST /token", {"access_token": "me teas", "token_type": "bearer"}, data=sent),
        ask("POST /token", status=400, data=sent | {"password": "x"}),
        ask("POST /token", status=422, data={"username": "ada"}),
    ]


@page("tutorial/security/oauth2-jwt")
def oauth2_jwt(app: FastAPI) -> Asks:
    def sign(subject: str, seconds: float) -> str:
        claims = {"sub": subject, "exp": datetime.now(UTC) + timedelta(seconds=seconds)}
        return jwt.encode(claims, KEY, algorithm="HS256")

    async def user(token: Token) -> str:
        try:
            return str(jwt.decode(token, KEY, algorithms=["HS256"])["sub"])
        except jwt.InvalidTokenError as error:
            raise HTTPException(401, "invalid", {"WWW-Authenticate": "Bearer"}) from error

    @app.post("/token")
    async def token(username: Annotated[str, Form()]) -> str:
        return sign(username, 60)

    @app.get("/me")
    async def me(user: Annotated[str, Depends(user)]) -> str:
        return user

    return [
        ask("POST /token", lambda a: a.json().count(".") == 2, data={"username": "ada"}),
        ask("GET /me", '"ada"', headers=bearer(sign("ada", 60))),
        ask("GET /me", status=401, headers=bearer(sign("ada", -60))),
    ]


@page("advanced/security/oauth2-scopes")
def oauth2_scopes(app: FastAPI) -> Asks:
    scheme = OAuth2PasswordBearer(tokenUrl="token", scopes={"me": "yours", "teas": "theirs"})

    async def user(needed: SecurityScopes, token: Annotated[str, Depends(scheme)]) -> str:
        if missing := set(needed.scopes) - set(token.split("+")):
            challenge = {"WWW-Authenticate": f'Bearer scope="{needed.scope_str}"'}
            raise HTTPException(401, f"missing: {' '.join(missing)}", challenge)
        return token

    async def active(user: Annotated[str, Security(user, scopes=["me"])]) -> str:
        return user

    @app.get("/teas")
    async def teas(user: Annotated[str, Security(active, scopes=["teas"])]) -> str:
        return user

    def described(app: FastAPI) -> None:
        [scopes] = app.openapi()["paths"]["/teas"]["get"]["security"]
        assert set(scopes["OAuth2PasswordBearer"]) == {"me", "teas"}

    return [
        ask("GET /teas", '"me+teas"', headers=bearer("me+teas")),
        ask("GET /teas", challenges('Bearer scope="teas me"'), 401, headers=bearer("teas")),
        described,
    ]


@page("advanced/security/oauth2-scopes, vitals.caller")
def caller_scopes(app: FastAPI) -> Asks:
    @app.get("/teas")
    async def teas(who: Annotated[Caller, Security(caller, scopes=["teas:read"])]) -> list[Any]:
        return [who.subject, sorted(who.scopes)]

    def described(app: FastAPI) -> None:
        assert app.openapi()["paths"]["/teas"]["get"]["security"] == [{"token": ["teas:read"]}]

    return [ask("GET /teas", ["anonymous", ["teas:read"]]), described]  # APP_AUTH is off here
