import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from vitals.ops.check import config
from vitals.ops.env_files import Configuration
from vitals.ops.run import shell
from vitals.ops.run.steps import Refused

Change = Callable[[str], str]


def add(line: str) -> Change:
    return lambda text: f"{text}{line}\n"


def without(name: str) -> Change:
    return lambda text: re.sub(rf"^{name}=.*\n", "", text, flags=re.MULTILINE)


def put(name: str, value: str) -> Change:
    return lambda text: re.sub(rf"^{name}=.*", f"{name}={value}", text, flags=re.MULTILINE)


COMMON, STAGING = "config/common.env", "config/staging.env"
PLANTED: list[tuple[str, Change, str]] = [
    (
        STAGING,
        put("APP_OPS_TOKEN", "secret://another"),
        "does not reach the container; expected another in deploy/compose.yaml.* x-app, secrets",
    ),
    (
        "deploy/kubernetes/base/deployment.yaml",
        lambda text: text.replace("{name: secrets}", "{name: secrets, items: []}"),
        "base/deployment.yaml: the secrets do not reach the container service",
    ),
    (
        COMMON,
        put("APP_SECRETS_DIR", "/secrets"),
        "the container migrate; expected all of .*/secrets",
    ),
    (COMMON, add("APP_MAX_CONECTIONS=5"), "APP_MAX_CONECTIONS.* is APP_MAX_CONNECTIONS"),
    (COMMON, add("APP_WHATEVER=5"), "APP_WHATEVER: no such setting"),
    (COMMON, add("PATH_TO=5"), "PATH_TO is not read"),
    (
        STAGING,
        add("# why: a trial\nAPP_LOG_LEVEL=debug"),
        "APP_LOG_LEVEL is in .*common.env too",
    ),
    (
        STAGING,
        without("APP_SERVER_TIMING"),
        "APP_SERVER_TIMING is not in config/staging",
    ),
    (STAGING, add("# why: only here\nAPP_X=1"), "APP_X is not in config/production.env"),
    (COMMON, without("APP_DRAIN_SECONDS"), "APP_DRAIN_SECONDS: required in staging"),
    (COMMON, put("APP_PORT", "http"), "APP_PORT: found 'http'; expected a valid integer"),
    (COMMON, put("APP_PORT", "70000"), "APP_PORT: found '70000'; expected less than or equal"),
    (COMMON, put("APP_LOG_LEVEL", "loud"), "APP_LOG_LEVEL: found 'loud'"),
    (COMMON, put("APP_DOCS", "perhaps"), "APP_DOCS: found 'perhaps'"),
    (STAGING, put("APP_SERVER_TIMING", "false"), "APP_SERVER_TIMING=false in production too"),
    (COMMON, add('APP_HOST="0.0.0.0"'), "'APP_HOST' that is not read alike everywhere"),
    (COMMON, put("APP_HOST", "$HOST"), "'APP_HOST' that is not read alike everywhere"),
    (COMMON, put("APP_HOST", "0.0.0.0 # all"), "'APP_HOST' that is not read alike"),
    (COMMON, add("export APP_HOST=0.0.0.0"), "'export APP_HOST' that is not read alike"),
    (COMMON, add("APP_HOST"), "'APP_HOST' that is not read alike"),
    (COMMON, add("APP_HOST: 0.0.0.0"), "'APP_HOST: 0.0.0.0' that is not read alike"),
    (COMMON, put("APP_HOST", "0.0.0.0\r"), "'APP_HOST' that is not read alike"),
    (COMMON, put("APP_HOST", "ﬁfteen"), "'APP_HOST' that is not read alike"),
    (COMMON, add("APP_HOST=0.0.0.0"), "APP_HOST is given twice"),
    (
        STAGING,
        lambda text: re.sub(r"# why:.*\n", "", text, count=1),
        "APP_ENVIRONMENT has no reason",
    ),
    (STAGING, lambda text: re.sub(r"# why:.*\n", "# why: x\n", text, count=1), "has no reason"),
    (STAGING, put("APP_OPS_TOKEN", "aB3dEf6hIj9lMn2p"), "APP_OPS_TOKEN holds its secret"),
    (STAGING, put("APP_OPS_TOKEN", ""), "APP_OPS_TOKEN holds its secret"),
    (STAGING, put("APP_OPS_TOKEN", "secret://../token"), "APP_OPS_TOKEN holds its secret"),
    (COMMON, put("APP_HOST", "secret://host"), "APP_HOST is no secret"),
    (COMMON, put("APP_HOST", "change-me"), "APP_HOST is the placeholder 'change-me'"),
    (COMMON, add("APP_VERSION=v1.0.0"), "APP_VERSION is set by the image"),
    (STAGING, put("APP_ENVIRONMENT", "production"), "staging.env.*APP_ENVIRONMENT=production"),
    (
        COMMON,
        put("APP_SHUTDOWN_SECONDS", "3"),
        "APP_REQUEST_SECONDS=15, APP_SHUTDOWN_SECONDS=3; expected",
    ),
    (COMMON, put("APP_DRAIN_SECONDS", "60"), r"deploy/.*\d+.*expected 85"),
]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for folder in ("config", "deploy"):
        shutil.copytree(shell.ROOT / folder, tmp_path / folder)
    return tmp_path


def faults(root: Path) -> list[str]:
    return config.faults(Configuration(root))


def test_the_configuration_of_this_project_has_no_fault() -> None:
    assert faults(shell.ROOT) == []


@pytest.mark.parametrize(("file", "change", "named"), PLANTED, ids=[row[2] for row in PLANTED])
def test_a_planted_fault_is_refused_by_name(
    file: str, change: Change, named: str, project: Path
) -> None:
    before = (project / file).read_text()
    assert change(before) != before
    (project / file).write_text(change(before), newline="")

    found = "\n".join(faults(project))

    assert re.search(named, found), found


def test_a_missing_file_is_refused_by_name(project: Path) -> None:
    (project / STAGING).unlink()

    assert f"{STAGING}: no such file" in faults(project)[0]


def test_all_faults_are_shown_at_once(project: Path) -> None:
    (project / COMMON).write_text("APP_PORT=http\nAPP_DOCS=perhaps\n")

    with pytest.raises(Refused) as refused:
        config.check(project)

    assert "APP_PORT" in refused.value.output
    assert "APP_DOCS" in refused.value.output


def test_what_is_shown_names_its_file_and_no_secret(project: Path) -> None:
    changed = put("APP_OPS_TOKEN", "aB3dEf6hIj9lMn2p")((project / STAGING).read_text())
    (project / STAGING).write_text(changed)

    printed = config.show(project, "staging")

    assert re.search(r"^APP_OPS_TOKEN=\*\*\* +config/staging.env:\d+$", printed, re.MULTILINE)
    assert re.search(r"^APP_PORT=8000 +config/common.env:\d+$", printed, re.MULTILINE)


def test_an_unknown_environment_can_not_be_shown(project: Path) -> None:
    with pytest.raises(Refused, match="staging or production"):
        config.show(project, "local")
