"""Images in a registry that is a plain HTTP server; tests/containers asks a real one."""

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from vitals.ops.deploy import registry
from vitals.ops.run import shell
from vitals.ops.run.steps import Refused

DIGEST = f"sha256:{'0a' * 32}"
LOGIN = f"Basic {base64.b64encode(b'ada:secret').decode()}"


class Registry:
    def __init__(self) -> None:
        self.files: dict[str, object] = {
            "manifests/v1.2.0": {"config": {"digest": "sha256:c"}},
            f"manifests/{DIGEST}": {"config": {"digest": "sha256:c"}},
            "blobs/sha256:c": {"config": {"Env": ["PATH=/", "APP_COMMIT=c0ffee"]}},
        }
        self.asks = ""  # Basic or Bearer
        self.host = ""

    @property
    def image(self) -> str:
        return f"{self.host}/team/orders"


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Registry]:
    found = Registry()
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            given = self.headers.get("Authorization", "")
            path = self.path.removeprefix("/v2/team/orders/")
            if self.path.startswith("/token"):
                self._answer(200, {"token": "bought"} if given == LOGIN else {"token": "none"})
            elif found.asks and given != (LOGIN if found.asks == "Basic" else "Bearer bought"):
                realm = f'{found.asks} realm="http://{found.host}/token",service="r"'
                self._answer(401, {}, {"WWW-Authenticate": realm})
            elif path in found.files:
                self._answer(200, found.files[path], {"Docker-Content-Digest": DIGEST})
            else:
                self._answer(404, {})

        def _answer(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
            text = json.dumps(body).encode()
            self.send_response(status)
            for name, value in {**(headers or {}), "Content-Length": str(len(text))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        found.host = f"127.0.0.1:{server.server_address[1]}"
        yield found
        server.shutdown()
        thread.join()


def test_a_tag_is_resolved_to_its_digest(served: Registry) -> None:
    assert registry.resolve(served.image, "v1.2.0") == DIGEST


def test_the_commit_of_an_image_is_read_from_its_configuration(served: Registry) -> None:
    assert registry.commit(served.image, DIGEST) == "c0ffee"


def test_an_image_of_several_platforms_is_read_past_its_attestation(served: Registry) -> None:
    attested = {"digest": "sha256:att", "platform": {"os": "unknown"}}
    linux = {"digest": "sha256:linux", "platform": {"os": "linux"}}
    served.files[f"manifests/{DIGEST}"] = {"manifests": [attested, linux]}
    served.files["manifests/sha256:linux"] = {"config": {"digest": "sha256:c"}}

    assert registry.commit(served.image, DIGEST) == "c0ffee"


def test_an_image_that_says_no_commit_has_none(served: Registry) -> None:
    served.files["blobs/sha256:c"] = dict[str, object]()

    assert registry.commit(served.image, DIGEST) == ""


@pytest.mark.parametrize("asks", ["Basic", "Bearer"])
def test_the_user_that_docker_remembers_is_known_there(
    asks: str, served: Registry, tmp_path: Path
) -> None:
    served.asks = asks
    with pytest.raises(Refused, match=r"answers 401.*docker login"):
        registry.resolve(served.image, "v1.2.0")

    auth = LOGIN.removeprefix("Basic ")
    (tmp_path / "config.json").write_text(json.dumps({"auths": {served.host: {"auth": auth}}}))

    assert registry.resolve(served.image, "v1.2.0") == DIGEST


def test_the_user_may_lie_in_a_program(
    served: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.asks = "Basic"
    (tmp_path / "config.json").write_text('{"credsStore": "trial"}')
    program = tmp_path / "docker-credential-trial"
    program.write_text(
        '#!/bin/sh\necho old >&2; echo \'{"Username": "ada", "Secret": "secret"}\'\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    assert registry.resolve(served.image, "v1.2.0") == DIGEST


def test_a_tag_that_is_not_there_is_refused(served: Registry) -> None:
    with pytest.raises(Refused, match=r"orders manifests/v9\.9\.9: .* answers 404"):
        registry.resolve(served.image, "v9.9.9")


def test_a_registry_that_is_away_is_named() -> None:
    with pytest.raises(Refused, match="does not answer"):
        registry.resolve(f"127.0.0.1:{shell.free_port()}/orders", "v1.2.0")


@pytest.mark.parametrize("found", [{"manifests": []}, {"layers": []}, []])
def test_what_is_no_image_is_refused_by_name(found: object, served: Registry) -> None:
    served.files[f"manifests/{DIGEST}"] = found

    with pytest.raises(Refused, match=f"{DIGEST} is no image"):
        registry.commit(served.image, DIGEST)


def test_an_index_that_names_no_platform_is_read(served: Registry) -> None:
    served.files[f"manifests/{DIGEST}"] = {"manifests": [{"digest": "sha256:one"}]}
    served.files["manifests/sha256:one"] = {"config": {"digest": "sha256:c"}}

    assert registry.commit(served.image, DIGEST) == "c0ffee"
