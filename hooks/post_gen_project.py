"""Which files belong to which answer? Removes the others, picks the lock, says what comes next."""

import json
import shutil
from pathlib import Path

REMOVED = {
    "database": {
        "false": [
            "alembic.ini",
            "vitals/database.py",
            "vitals/database_engine.py",
            "app/items/store_database.py",
            "deploy/kubernetes/migrate",
            "deploy/prometheus/rules/database.yaml",
            "docs/keep-it-in-the-database.md",
            "migrations",
            "vitals/ops/project/migration.py",
            "vitals/ops/check/schema.py",
            "vitals/ops/services/postgres.py",
            "tests/database.py",
            "tests/integration/items/test_store_database.py",
            "tests/integration/test_database.py",
            "tests/unit/items/test_store_database.py",
            "tests/unit/test_database.py",
        ],
    },
    "cache": {
        "false": [
            "vitals/cache.py",
            "app/items/store_cached.py",
            "deploy/prometheus/rules/cache.yaml",
            "vitals/ops/project/clear_cache.py",
            "vitals/ops/services/valkey.py",
            "tests/integration/items/test_store_cached.py",
            "tests/integration/test_cache.py",
            "tests/unit/items/test_store_cached.py",
            "tests/unit/test_clear_cache.py",
        ],
    },
    "deploy": {
        "compose": [
            "deploy/kubernetes",
            "vitals/ops/deploy/targets/kubernetes.py",
        ],
        "kubernetes": [
            "deploy/compose.md",
            "deploy/compose.yaml",
            "deploy/grafana/provisioning",
            "deploy/prometheus/alertmanager.yaml",
            "deploy/prometheus/prometheus.yaml",
            "vitals/ops/deploy/targets/compose.py",
        ],
    },
    "ci": {
        "github": [".gitlab-ci.yml"],
        "gitlab": [".github"],
        "none": [".github", ".gitlab-ci.yml", "vitals/ops/release/publish.py"],
    },
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


def main() -> None:
    answers = json.loads(Path(".vitals.json").read_text(encoding="utf-8"))["answers"]

    for question, removed in REMOVED.items():
        for path in removed.get(answers[question], ()):
            remove(Path(path))

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
