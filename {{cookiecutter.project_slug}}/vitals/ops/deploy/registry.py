"""A registry of images: the digest of a tag, and the commit that an image was built from.

By the OCI Distribution Specification; with the user that `docker login` remembered, if any.
"""

import base64
import json
import os
import re
from pathlib import Path
from typing import Any

import httpx

from vitals.ops.run import shell
from vitals.ops.run.steps import Refused

TIMEOUT = 20  # seconds for each answer
MANIFESTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
LOCAL = re.compile(r"(?:localhost|127\.0\.0\.1)(?::\d+)?")  # spoken to without TLS, as Docker does
COMMIT = "APP_COMMIT="  # deploy/Dockerfile sets it


def resolve(image: str, tag: str) -> str:
    """Return the digest that a tag has now. Raises `Refused` where there is no such image."""
    answer = _get(image, f"manifests/{tag}")
    digest = answer.headers.get("docker-content-digest")
    if not digest:
        raise Refused(f"{image}: the registry told no digest", "`Docker-Content-Digest`")
    return str(digest)


def commit(image: str, digest: str) -> str:
    """Return the commit that the image says it was built from; empty where it says none."""
    try:
        manifest = _get(image, f"manifests/{digest}").json()
        for each in manifest.get("manifests", ()):  # of several platforms; an attestation has none
            if each.get("platform", {}).get("os") != "unknown":
                manifest = _get(image, f"manifests/{each['digest']}").json()
                break
        config = _get(image, f"blobs/{manifest['config']['digest']}").json()
    except (ValueError, KeyError, AttributeError) as error:
        raise Refused(f"{image}@{digest} is no image: {error!r}", "a manifest of one") from error
    environment = config.get("config", {}).get("Env") or []
    return next((each.removeprefix(COMMIT) for each in environment if each.startswith(COMMIT)), "")


def _get(image: str, what: str) -> httpx.Response:
    host, _, name = image.partition("/")
    url = f"{'http' if LOCAL.fullmatch(host) else 'https'}://{host}/v2/{name}/{what}"
    headers = {"Accept": ", ".join(MANIFESTS)}
    try:
        with httpx.Client(timeout=TIMEOUT, follow_redirects=True, headers=headers) as client:
            answer = client.get(url)
            if answer.status_code == 401:
                token = _authorization(client, answer.headers.get("www-authenticate", ""), host)
                answer = client.get(url, headers={"Authorization": token})
    except httpx.HTTPError as error:
        raise Refused(f"{host} does not answer: {error}", "the registry of the image") from error
    if not answer.is_success:
        found = f"{image} {what}: {host} answers {answer.status_code}"
        raise Refused(
            found, "an image that the release built", f"`docker login {host}`, or CI again"
        )
    return answer


def _authorization(client: httpx.Client, challenge: str, host: str) -> str:
    """Answer a challenge: by name and password, or with a token that they buy."""
    basic = _known_user(host)
    scheme, _, rest = challenge.partition(" ")
    if scheme.lower() != "bearer":
        return basic
    wanted = dict(re.findall(r'(\w+)="([^"]*)"', rest))
    headers = {"Authorization": basic} if basic else {}
    found: dict[str, Any] = client.get(wanted.pop("realm"), params=wanted, headers=headers).json()
    return f"Bearer {found.get('token') or found.get('access_token')}"


def _known_user(host: str) -> str:
    """Return what `docker login` remembered: in its file, or in the program that it names."""
    folder = Path(os.environ.get("DOCKER_CONFIG", Path.home() / ".docker"))
    try:
        config = json.loads((folder / "config.json").read_text())
    except (OSError, ValueError):
        return ""
    if auth := config.get("auths", {}).get(host, {}).get("auth"):
        return f"Basic {auth}"
    if helper := config.get("credHelpers", {}).get(host) or config.get("credsStore"):
        program = [
            "/bin/sh",
            "-c",
            'echo "$1" | "$0" get 2>/dev/null',
            f"docker-credential-{helper}",
            host,
        ]
        found = shell.run(program)
        if found.code == 0:
            said = json.loads(found.output)
            pair = f"{said['Username']}:{said['Secret']}".encode()
            return f"Basic {base64.b64encode(pair).decode()}"
    return ""
