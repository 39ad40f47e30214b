import json
from pathlib import Path

import pytest

from tests.ops.shipping import RECORD, change
from vitals.ops.release import changelog, notes
from vitals.ops.run import git, shell
from vitals.ops.run.steps import Refused


@pytest.fixture
def project(somebody: Path) -> Path:
    """A project whose first version is released."""
    commit("app/main.py", "changes/0001-first.toml")
    git.git("tag", "--annotate", "--message=v0.1.0", "v0.1.0")
    return somebody


def commit(*names: str) -> None:
    change(*names)
    git.git("add", "--all")
    git.git("commit", "--quiet", "--allow-empty", "--message=change")


def faults() -> str:
    with pytest.raises(Refused) as refused:
        notes.check()
    return refused.value.output


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("name", ["app/a.py", "config/common.env", "migrations/x.py"])
def test_a_change_without_a_record_is_named_with_the_fix(name: str) -> None:
    change(name)

    assert faults().startswith(f"{name}: changed since the last record")
    commit()
    assert "make change TITLE" in faults()


@pytest.mark.usefixtures("project")
def test_what_no_user_notices_needs_no_record() -> None:
    commit("README.md", "tests/test_main.py", "vitals/cache.py")

    assert notes.check() == "0 records since v0.1.0"


@pytest.mark.usefixtures("project")
def test_a_record_answers_for_what_came_before_it_and_not_for_what_comes_later() -> None:
    commit("app/a.py")
    commit("app/b.py", "changes/0002-cache.toml")
    assert notes.check() == "1 records since v0.1.0"

    commit("app/c.py")

    assert faults().startswith("app/c.py: changed since the last record")
    assert notes.since("v0.1.0").records == {"changes/0002-cache.toml": ["app/a.py", "app/b.py"]}


@pytest.mark.usefixtures("project")
def test_a_record_that_is_not_committed_yet_answers_for_what_is_not_either() -> None:
    change("app/a.py", "changes/0002-cache.toml")

    assert notes.check() == "1 records since v0.1.0"
    assert notes.since("v0.1.0").records == {"changes/0002-cache.toml": ["app/a.py"]}


@pytest.mark.usefixtures("project")
def test_a_record_that_is_written_first_and_completed_last_answers_for_all_between() -> None:
    commit("changes/0002-cache.toml")
    commit("app/a.py")
    assert faults().startswith("app/a.py: changed since the last record")

    (shell.ROOT / "changes" / "0002-cache.toml").write_text(RECORD.replace("412", "411"))
    commit()

    assert notes.check() == "1 records since v0.1.0"
    assert notes.since("v0.1.0").records == {"changes/0002-cache.toml": ["app/a.py"]}


@pytest.mark.usefixtures("project")
def test_a_change_that_was_reverted_after_its_record_needs_no_other() -> None:
    before = (shell.ROOT / "app" / "main.py").read_text()
    commit("app/main.py", "changes/0002-cache.toml")
    (shell.ROOT / "app" / "main.py").write_text(before)
    commit()

    assert notes.check() == "1 records since v0.1.0"


@pytest.mark.usefixtures("somebody")
def test_the_first_release_shows_its_records_with_their_files() -> None:
    commit("app/main.py")
    commit("app/a.py", "changes/0001-first.toml")

    assert notes.since(None).records == {"changes/0001-first.toml": ["app/a.py", "app/main.py"]}


@pytest.mark.usefixtures("project")
def test_a_change_that_was_reverted_needs_no_record() -> None:
    before = (shell.ROOT / "app" / "main.py").read_text()
    commit("app/main.py")
    (shell.ROOT / "app" / "main.py").write_text(before)
    commit()

    assert notes.check() == "0 records since v0.1.0"


@pytest.mark.usefixtures("project")
def test_a_merge_counts_with_all_that_it_brings() -> None:
    branch = git.git("branch", "--show-current")
    git.git("switch", "--quiet", "--create", "topic")
    commit("app/a.py", "changes/0002-cache.toml")
    commit("app/b.py")
    git.git("switch", "--quiet", branch)
    git.git("merge", "--quiet", "--no-ff", "--no-edit", "topic")

    assert notes.since("v0.1.0").records == {"changes/0002-cache.toml": ["app/a.py", "app/b.py"]}
    assert notes.check() == "1 records since v0.1.0"


def test_a_record_that_is_moved_is_named_with_the_way_back(project: Path) -> None:
    (project / "changes" / "0001-first.toml").rename(project / "changes" / "0002-first.toml")

    assert "`git checkout v0.1.0 -- changes/0001-first.toml`" in faults()


def test_a_placeholder_is_named_by_file_and_field(project: Path) -> None:
    (project / "changes" / "0002-cache.toml").write_text(RECORD.replace("team-orders", "TBD"))

    assert faults().startswith("changes/0002-cache.toml: owner: 'TBD'; expected who owns it")


@pytest.mark.usefixtures("repository")
def test_before_the_first_commit_nothing_is_asked_for() -> None:
    change("app/main.py")

    assert notes.check() == "0 records since the beginning: no release yet"


def test_a_part_of_the_history_is_refused(
    project: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit()
    clone = tmp_path_factory.mktemp("clone")
    git.git("clone", "--quiet", "--depth=1", "--no-tags", f"file://{project}", str(clone))
    monkeypatch.setattr("vitals.ops.run.shell.ROOT", clone)

    with pytest.raises(Refused, match="git fetch --unshallow --tags"):
        notes.check()


def test_the_notes_name_the_reason_the_numbers_the_way_back_and_the_files(project: Path) -> None:
    measured = '[measured]\ncommand = "make compare"\nmetric = "p95"\nresult = "changes/2.json"\n'
    record = RECORD.replace('not_measured = "only the text of an answer changes"\n', measured)
    rows = [{"metric": "p95", "unit": "ms", "before": 4, "after": 3, "verdict": "-25 %"}]
    result = json.dumps({"command": "make compare", "rows": rows})
    commit("app/a.py")
    (project / "changes" / "0002-cache.toml").write_text(record)
    (project / "changes" / "2.json").write_text(result)

    assert notes.text(notes.since("v0.1.0")) == (
        "- Cache the item list (team-orders)\n"
        "  why: p95 of GET /items 412 ms at 20 requests/s\n"
        "  expected: p95 of GET /items below 120 ms\n"
        "  measured: p95 4 → 3 ms (-25 %), by `make compare`\n"
        "  rollback: make rollback ENV=production; safe to repeat\n"
        "  files: app/a.py\n"
        "  record: changes/0002-cache.toml"
    )


@pytest.mark.usefixtures("project")
def test_the_changelog_is_what_the_tags_say_the_newest_first() -> None:
    commit()
    git.git("tag", "--annotate", "--message=v0.10.0\n\n- Faster", "v0.10.0")
    git.git("tag", "--annotate", "--message=v0.9.0\n\n- Smaller", "v0.9.0")
    git.git("tag", "--annotate", "--message=mine", "mine")

    assert changelog.everything() == (
        "## v0.10.0\n\n- Faster\n\n## v0.9.0\n\n- Smaller\n\n## v0.1.0"
    )
    assert changelog.one("v0.9.0") == "v0.9.0\n\n- Smaller"


@pytest.mark.usefixtures("repository")
def test_a_changelog_without_versions_names_the_command_that_fetches_them() -> None:
    with pytest.raises(Refused, match="git fetch --tags"):
        changelog.everything()
    with pytest.raises(Refused, match=r"no version v1\.0\.0 here"):
        changelog.one("v1.0.0")


def test_newer_packages_need_no_record_and_the_notes_list_them(project: Path) -> None:
    lock = project / "requirements.txt"
    lock.write_text("httpx==1.0 \\\n    --hash=sha256:00\nidna==3.1 \\\n    --hash=sha256:01\n")
    git.git("add", "--all")
    git.git("commit", "--quiet", "--message=lock")
    git.git("tag", "--annotate", "--message=v0.2.0", "v0.2.0")
    lock.write_text("httpx==1.1 \\\n    --hash=sha256:02\nuvicorn[standard]==0.5\n")

    assert notes.check() == "0 records since v0.2.0"

    moved = ["httpx: 1.0 → 1.1", "idna: 3.1 → gone", "uvicorn: new → 0.5"]
    assert notes.packages("v0.2.0") == moved
    assert all(line in notes.text(notes.since("v0.2.0"), "v0.2.0") for line in moved)
