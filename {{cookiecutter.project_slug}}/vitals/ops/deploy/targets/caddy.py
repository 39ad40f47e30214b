"""Caddy's configuration, made from deploy/caddy.json."""

import json
from pathlib import Path


def serving(template: Path, domain: str) -> str:
    """Return it for a domain over TLS; for plain HTTP where there is none."""
    configuration = json.loads(template.read_text())
    if domain:
        server = configuration["apps"]["http"]["servers"]["front"]
        server["listen"] = [":443"]  # Caddy redirects from :80 and gets the certificate
        server["routes"][0]["match"] = [{"host": [domain]}]
    return json.dumps(configuration, indent=2)


def domain(file: Path) -> str:
    """Return the domain that it serves, if any."""
    [route] = json.loads(file.read_text())["apps"]["http"]["servers"]["front"]["routes"]
    return str(route["match"][0]["host"][0]) if route.get("match") else ""


def adapted(template: Path, proxy_url: str, folder: Path) -> str:
    """Return it for processes of this machine."""
    configuration = json.loads(template.read_text())
    server = configuration["apps"]["http"]["servers"]["front"]
    server["listen"] = [proxy_url.removeprefix("http://")]
    server["routes"][0]["handle"][0]["upstreams"] = [{"dial": f"127.0.0.1:{{file.{folder}/slot}}"}]
    return json.dumps(configuration)
