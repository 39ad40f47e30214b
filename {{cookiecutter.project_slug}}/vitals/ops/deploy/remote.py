"""A deployment from a CI: over SSH to a Docker host, or with a kubeconfig from here.

ENV, VERSION and DIGEST say what goes where. KEY is the private key of `deploy-gate`, for HOST, or
else the kubeconfig of the environment's account.
"""

import os
import re
import tempfile
from pathlib import Path

from vitals.ops.run import shell, steps
from vitals.ops.run.steps import Refused

HOST = re.compile(r"[a-z_][a-z0-9_-]*@[A-Za-z0-9.:-]+")


def main() -> int:
    if missing := [
        name for name in ("ENV", "VERSION", "DIGEST", "KEY") if not os.environ.get(name)
    ]:
        raise Refused(f"no {', '.join(missing)} in the environment", "what the CI's file sets")
    with tempfile.TemporaryDirectory() as folder:
        key = Path(folder, "key")
        key.touch(0o600)
        key.write_text(os.environ.pop("KEY").replace("\r", "").rstrip() + "\n")
        if (shell.ROOT / "deploy" / "compose.yaml").exists():
            return shell.attach(over_ssh(key))
        return shell.attach(["make", "deploy"], {"KUBECONFIG": str(key)})


def over_ssh(key: Path) -> list[str | Path]:
    """Return the command that asks the host's gate for the deployment."""
    host = os.environ.get("HOST", "")
    if not HOST.fullmatch(host):
        raise Refused(f"HOST={host}", "user@host, the host that this environment runs on")
    known = shell.ROOT / "deploy" / "known_hosts"
    if not any(line and line[0] != "#" for line in known.read_text().splitlines()):
        raise Refused(f"{known.name} is empty", "the host's public key", "see its first lines")
    options = {"IdentitiesOnly": "yes", "UserKnownHostsFile": known, "BatchMode": "yes"}
    options |= {"StrictHostKeyChecking": "yes", "ServerAliveInterval": 15, "ServerAliveCountMax": 8}
    words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    request = f"deploy {os.environ['VERSION']} {os.environ['DIGEST']}"
    for name in ("WATCH", "SUPERSEDE"):
        request += f" {name.lower()}={os.environ[name]}" if os.environ.get(name) else ""
    return ["ssh", "-i", key, *words, host, request]


if __name__ == "__main__":
    steps.exit_with(main)
