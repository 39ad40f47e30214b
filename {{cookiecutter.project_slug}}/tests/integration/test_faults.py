"""What does the start command say when it cannot start?"""

import httpx

from ops import shell
from ops.serving import Served


def test_a_port_in_use_ends_the_start_in_one_line_with_the_way_out(
    service: Served, environment: dict[str, str]
) -> None:
    port = str(httpx.URL(service.url).port)

    refused = shell.run([shell.PYTHON, "-m", "app"], {**environment, "APP_PORT": port})

    assert refused.code == 1
    assert refused.output.startswith(f"APP_PORT: 127.0.0.1:{port}: Address already in use")
    assert refused.output.count("\n") == 1
