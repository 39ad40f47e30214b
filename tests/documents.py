"""Commands in the documents, and the tests that run them.

A command is in a session (a ```console or ```sh block) or alone: on an indented line, or as `code`
of more than one word. `make TARGET` without arguments is a name, not a command.
"""

import re
from typing import NamedTuple

from tests.baking import FOLDER, ROOT, template_files

FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
TYPED = re.compile(r"^ *\$ (.*)$", re.MULTILINE)
INDENTED = re.compile(r"^ {4}(?: {3})?(\S.*)$", re.MULTILINE)
INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
TARGET = re.compile(r"\bmake ([a-z][a-z-]*)")
LINK = re.compile(r"\]\(([^)#:]+)[^):]*\)")
PROGRAM = re.compile(
    r"(\.venv/bin/\w+|cookiecutter|curl|diff|docker|git|kill|kubectl|make|pip|pipx|promtool|python3?"
    r"|ssh|uvx?) "
)
SHELLS = ("console", "sh", "bash")


class Document(NamedTuple):
    path: str
    text: str

    @property
    def sessions(self) -> list[str]:
        """The commands of its blocks."""
        found = []
        for _, language, block in FENCE.findall(self.text):
            if language == "console":
                found += TYPED.findall(block)
            elif language in SHELLS:
                found += [line for line in block.splitlines() if line.strip()]
        return [command(line) for line in found]

    @property
    def alone(self) -> list[str]:
        """The commands in its text."""
        text = FENCE.sub("", self.text)
        found = [command(line) for line in INDENTED.findall(text) + INLINE.findall(text)]
        named = [line for line in found if TARGET.fullmatch(line)]
        return [line for line in found if PROGRAM.match(line) and line not in named]

    @property
    def targets(self) -> set[str]:
        """The targets that it names, in commands or alone."""
        lines = [*self.sessions, *INDENTED.findall(self.text), *INLINE.findall(self.text)]
        return {target for line in lines for target in TARGET.findall(line)}

    @property
    def links(self) -> list[str]:
        """The files that it links to, relative to its own folder."""
        return LINK.findall(self.text)


def command(line: str) -> str:
    """A line without its comment, with a name in place of the slug."""
    named = line.replace("{{ cookiecutter.project_slug }}", "orders-api")
    return re.sub(r"\s+# .*$", "", named).strip()


def documents() -> list[Document]:
    """Every Markdown file of the template and of the project inside it."""
    names = [name for name in template_files() if name.endswith(".md")]
    return [Document(name, (ROOT / name).read_text(encoding="utf-8")) for name in names]


def document(path: str) -> Document:
    return Document(path, (ROOT / path).read_text(encoding="utf-8"))


# Documents whose sessions a test runs, and this test.
PLAYED = {
    "README.md": "tests/session.py",
    "docs/how-to.md": "tests/test_documents.py",
    f"{FOLDER}/README.md": "tests/test_documents.py",
    f"{FOLDER}/RUNBOOK.md": "tests/pictures/test_prometheus.py",
    f"{FOLDER}/docs/background-jobs.md": "tests/test_walks.py",
    f"{FOLDER}/docs/call-another-service.md": "tests/test_walks.py",
    f"{FOLDER}/docs/first-feature.md": "tests/test_walks.py",
    f"{FOLDER}/docs/keep-it-in-the-database.md": "tests/test_walks.py",
    f"{FOLDER}/docs/users.md": "tests/test_walks.py",
}

# Commands in the text of a project's documents that tests/test_documents.py runs, too.
PLAYED_ALONE = (
    ".venv/bin/python -m vitals.ops.slo",
    'make change TITLE="Cache the list"',
    "make config SHOW=staging",
    "make security HISTORY=all",
    'make token SCOPES="items:write"',
)

A_HOST = "needs a host with Docker; tests/containers/test_compose.py deploys and rolls back"
POSTGRES = "needs a host with Docker; tests/containers/test_postgres.py runs it"
A_CLUSTER = "needs a cluster"
AS_FILES = "needs a cluster; tests/pictures/test_rules.py runs it up to the pipe"
ADDRESS = "needs an address of your own"
NAMED = "is a name in a sentence, not a command"
ITSELF = "runs the tests or takes the figures: it would run itself"
SHIPS = "is about the template's own release, which tests/release/test_template.py runs"
LONG = "takes a minute; tests/test_compare.py runs it"

# Commands that no test runs as they are written, and why.
EXCEPTIONS = {
    'pip install "vitals-engine @ git+ADDRESS@v0.3.0"': "tests/test_engine_wheel.py runs it",
    "pip uninstall vitals-engine": "a command of pip, which the engine has no part in",
    ".venv/bin/pytest -m slow tests/faults": ITSELF,
    ".venv/bin/python -m benchmarks.foundation": ITSELF,
    ".venv/bin/python -m tests.pictures.screenshots": ITSELF,
    ".venv/bin/python -m tests.reference": ITSELF,
    ".venv/bin/python -m tests.session": ITSELF,
    "python -m benchmarks.compare_series": ITSELF,
    "docker compose up": NAMED,
    "git apply --recount --unidiff-zero": NAMED,
    "git archive": NAMED,
    "git worktree": NAMED,
    "kill -9": NAMED,
    "kubectl port-forward": NAMED,
    "uv pip compile --universal": NAMED,
    "uvx cookiecutter ADDRESS --checkout v1.2.0": ADDRESS,
    "pipx run cookiecutter ADDRESS --checkout v1.2.0": ADDRESS,
    "make update TEMPLATE=ADDRESS": ADDRESS,
    'make change TITLE="Refuse a name in brackets"': SHIPS,
    "make check FRESH=1": "runs all checks; tests/ops/test_passes.py sets the variable",
    "make compare BASE=v0.1.0": LONG,
    'make update SET="cache=true deploy=kubernetes"': "tests/update/test_answers.py runs it",
    'make update SET="owner=team-billing"': "tests/update/test_answers.py runs others",
    "make run": "serves until Ctrl-C; tests/ops/test_run.py starts and stops it",
    "make setup PYTHON=python3.13": "needs a second Python; tests/test_matrix.py has five",
    "python -m app.commands.worker": "tests/test_jobs.py runs it",
    "kill -USR1 <pid>": "needs a process that hangs; tests/engine/server sends it to a running one",
    "promtool check rules rules/*.yaml": "tests/pictures/test_rules.py runs promtool on all files",
    "make deploy ENV=staging VERSION=v0.1.0": A_HOST,
    "make deploy ENV=staging VERSION=v1.2.0": A_CLUSTER,
    "make deploy ENV=production VERSION=v1.2.0 DOMAIN=orders.example": A_HOST,
    "make live ENV=staging LIFT=v1.2.0": A_HOST,
    "make monitor ENV=staging": A_HOST,
    "docker exec -i orders-api-staging-database-1 pg_restore --username=app --dbname=app --clean"
    " --if-exists < FILE": A_HOST,
    "docker stop $(docker ps --quiet --filter name=orders-api-staging-app-)": POSTGRES,
    "docker stop orders-api-staging-database-1": POSTGRES,
    "docker rm orders-api-staging-database-1": POSTGRES,
    "docker run --rm --volume orders-api-staging_database:/data postgres:18"
    " sh -c 'cd /data && mkdir .17 && mv * .17 && mv .17 17'": POSTGRES,
    "docker compose --file deploy/compose.yaml --project-name orders-api-staging --profile staging"
    " up --detach --wait --no-deps database": POSTGRES,
    "docker start $(docker ps --all --quiet --filter name=orders-api-staging-app-)": POSTGRES,
    "curl https://orders.example/readyz": ADDRESS,
    "make live ENV=production": A_HOST,
    "make live ENV=staging": A_HOST,
    "make rollback ENV=production": A_HOST,
    "make rollback ENV=staging": A_HOST,
    "kubectl create namespace orders-api-staging": A_CLUSTER,
    "kubectl -n orders-api-staging create secret generic secrets --from-file=FOLDER": A_CLUSTER,
    "kubectl -n orders-api-staging create secret generic operators"
    " --from-file=ops_token": A_CLUSTER,
    "kubectl -n orders-api-staging create secret docker-registry registry --docker-server=REGISTRY"
    " --docker-username=USER --docker-password=PASSWORD": A_CLUSTER,
    "kubectl -n orders-api-staging create token deployer --duration=1h": A_CLUSTER,
    "kubectl -n orders-api-staging apply -f deploy/kubernetes/deployer.yaml": A_CLUSTER,
    "kubectl create configmap orders-api-rules --from-file=deploy/prometheus/rules"
    " --dry-run=client -o yaml | kubectl -n monitoring apply -f -": AS_FILES,
    "kubectl create configmap orders-api-dashboard --from-file=deploy/grafana/dashboards"
    " --dry-run=client -o yaml | kubectl -n monitoring apply -f -": AS_FILES,
}
