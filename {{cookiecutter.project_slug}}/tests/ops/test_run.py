import socket

import pytest

from ops import run, shell
from ops.steps import Refused


def test_a_taken_port_is_refused_with_the_way_out() -> None:
    with socket.create_server(("127.0.0.1", shell.free_port())) as listener:
        port = listener.getsockname()[1]

        with pytest.raises(Refused) as refused:
            run.refuse_taken(port)

    assert str(refused.value) == (
        f"port {port}: address already in use. "
        f"Way out: stop what listens there, or `make run PORT={port + 1}`"
    )


@pytest.mark.parametrize("given", ["http", "0", "70000", "-1"])
def test_a_port_that_is_none_is_refused(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", given)

    with pytest.raises(Refused, match="a number from 1 to 65535"):
        run.port()


def test_without_a_port_it_is_8000(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PORT", raising=False)

    assert run.port() == 8000
