"""Clears the cache of one feature and nothing else: `make clear-cache FEATURE=items`.

ENV names the environment (local by default), URL a service that runs elsewhere. The operators'
token is taken from APP_OPS_TOKEN, otherwise from the file ops_token in the folder SECRETS.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import httpx

from vitals.ops.env_files import ENVIRONMENTS, Configuration
from vitals.ops.run import shell, steps
from vitals.ops.run.steps import Refused

TIMEOUT_SECONDS = 30


def clear(url: str, feature: str, token: str) -> int | None:
    """Clear the cache of one feature of the service at `url`; return how many values, if known.

    Raises `Refused` with what the service said. Safe to repeat.
    """
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        answer = httpx.delete(f"{url}/cache/{feature}", headers=headers, timeout=TIMEOUT_SECONDS)
    except httpx.HTTPError as error:
        found = f"{url}: {error}"
        raise Refused(found, "the service", "start it, or give its address: URL=…") from error
    if not answer.is_success:
        login = "give the token in APP_OPS_TOKEN"
        fix = login if answer.status_code == 401 else "safe to repeat"
        raise Refused(f"{url}: {answer.status_code}", "200", fix, answer.text)
    cleared: int | None = answer.json()["cleared"]
    return cleared


def address(environ: Mapping[str, str], root: Path) -> str:
    """The URL of the service. Raises `Refused` for an unknown ENV."""
    if url := environ.get("URL"):
        return url.rstrip("/")
    place = environ.get("ENV", "local")
    if place == "local":
        return f"http://127.0.0.1:{environ.get('PORT', '8000')}"
    if place not in ENVIRONMENTS:
        names = ", ".join(("local", *ENVIRONMENTS))
        raise Refused(f"ENV={place}", f"one of {names}", "or give the address: URL=…")
    return "https://" + Configuration(root).values(place)["APP_ALLOWED_HOSTS"].split(",")[0]


def token(environ: Mapping[str, str]) -> str:
    """The operators' token, or nothing: a local service asks for none."""
    file = Path(environ.get("SECRETS", "."), "ops_token")
    given = environ.get("APP_OPS_TOKEN", "")
    return given or (file.read_text().strip() if file.is_file() else "")


def main() -> None:
    """Clear the cache of FEATURE."""
    if not (feature := os.environ.get("FEATURE", "")):
        fix = "`make clear-cache FEATURE=items ENV=staging`"
        raise Refused("no FEATURE", "the feature whose cache to clear", fix)
    url = address(os.environ, shell.ROOT)
    cleared = clear(url, feature, token(os.environ))
    many = "all" if cleared is None else cleared
    steps.say(f"{url}: the cache of {feature} is cleared ({many} values)")


if __name__ == "__main__":
    steps.exit_with(main)
