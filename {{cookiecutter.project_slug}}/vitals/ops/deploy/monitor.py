"""Monitoring beside the service on a Docker host: starts it anew and touches nothing else."""

import shutil

from vitals.ops.deploy import deploy, targets
from vitals.ops.deploy.targets import compose
from vitals.ops.run import steps

PROFILES = {"monitoring": ("prometheus", "alertmanager"), "dashboards": ("grafana",)}


def main() -> None:
    environment = deploy.given_environment("monitor")
    target = compose.target(environment)
    with target.alone():
        live = deploy.live(target)[-1]
        release = targets.release(target, live, environment)
        copy = target.folder / "monitoring"  # it outlives the release's own files
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(release.folder, copy)
        copied = release._replace(folder=copy)
        up = ("up", "--detach", "--no-deps", "--force-recreate", "--quiet-pull")
        for profile, services in PROFILES.items():
            target.compose(copied, "--profile", profile, *up, *services)
            steps.say(f"{' and '.join(services)}: started, with the files of {live.version}")


if __name__ == "__main__":
    steps.exit_with(main)
