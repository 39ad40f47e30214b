"""Removes the files that the answers leave out, picks the locks, says what comes next."""

import json
import shutil
import sys
from pathlib import Path

REMOVED = {
    "database": {
        "false": [
            "alembic.ini",
            "app/items/store_database.py",
            "app/tables.py",
            "deploy/kubernetes/migrate",
            "deploy/prometheus/rules/database.yaml",
            "docs/background-jobs.md",
            "docs/keep-it-in-the-database.md",
            "docs/users.md",
            "migrations",
            "tests/database.py",
            "tests/integration/items/test_store_database.py",
            "tests/integration/test_database.py",
            "tests/unit/items/test_store_database.py",
            "tests/unit/test_migrations.py",
        ],
    },
    "cache": {
        "false": [
            "app/items/store_cached.py",
            "deploy/prometheus/rules/cache.yaml",
            "tests/integration/items/test_store_cached.py",
            "tests/integration/test_cache.py",
            "tests/unit/items/test_store_cached.py",
        ],
    },
    "deploy": {
        "compose": [
            "deploy/kubernetes",
        ],
        "kubernetes": [
            "deploy/compose.md",
            "deploy/compose.yaml",
            "deploy/deploy-gate",
            "deploy/grafana/provisioning",
            "deploy/known_hosts",
            "deploy/prometheus/alertmanager.yaml",
            "deploy/prometheus/prometheus.yaml",
        ],
    },
    "ci": {
        "github": [".gitlab-ci.yml"],
        "gitlab": [".github"],
        "none": [".github", ".gitlab-ci.yml"],
    },
}
# The settings of an answer "false", by how their names begin.
SETTINGS = {
    "database": ("APP_DATABASE_", "APP_SLOW_QUERY_MS"),
    "cache": ("APP_CACHE_",),
}
LOCKS = {
    ("true", "true"): "full",
    ("true", "false"): "database",
    ("false", "true"): "cache",
    ("false", "false"): "plain",
}


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def remove_settings(beginnings: tuple[str, ...]) -> None:
    """Take settings out of config/*.env, each with the reason above it."""
    for file in Path("config").glob("*.env"):
        lines: list[str] = []
        for line in file.read_text(encoding="utf-8").splitlines():
            if line.startswith(beginnings):
                if lines and lines[-1].startswith("# why:"):
                    lines.pop()
            elif line or lines[-1]:  # one blank line at most
                lines.append(line)
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def remove_example() -> None:
    """Take the example out as `make remove-example` does: by the project's own module."""
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(Path.cwd()))
    from vitals.ops.project import remove_example

    remove_example.remove(Path.cwd())


def main() -> None:
    record = json.loads(Path(".vitals.json").read_text(encoding="utf-8"))
    answers = record["answers"]
    record["example"] = record["example"] == "true"
    text = json.dumps(record, indent=2, ensure_ascii=False)
    Path(".vitals.json").write_text(f"{text}\n", encoding="utf-8")

    for question, removed in REMOVED.items():
        for path in removed.get(answers[question], ()):
            remove(Path(path))
    for question, beginnings in SETTINGS.items():
        if answers[question] == "false":
            remove_settings(beginnings)
    if not record["example"]:
        remove_example()

    locks = Path("locks")
    for lock in (locks / LOCKS[answers["database"], answers["cache"]]).iterdir():
        lock.replace(lock.name)
    shutil.rmtree(locks)

    print(f"""
{answers["project_name"]} is ready. Next:
  cd {answers["project_slug"]}
  git init -b main && git add -A && git commit -m "Start from the Vitals template"
  make check   # before shipping: lint, types, tests
  make run     # serves on http://127.0.0.1:8000""")
    if not shutil.which("make"):
        print("make is missing on this machine; install it first, e.g. apt-get install make")


if __name__ == "__main__":
    main()
