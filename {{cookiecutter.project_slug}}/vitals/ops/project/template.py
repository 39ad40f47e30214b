"""The template of this project: a clone that generates the project anew from its recorded answers.

`.vitals.json` records the template's address, version and commit, the answers, and whether the
example is still there. The clone and all that is made with it lie in a throw-away folder.
"""

import json
import sys
import tempfile
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from vitals.ops.project import setup
from vitals.ops.release import repository_state, versions
from vitals.ops.run import git, shell
from vitals.ops.run.steps import Refused

RECORD = ".vitals.json"


def recorded(project: Path) -> dict[str, Any]:
    """What a project records of its template. Raises `Refused` where that is no record."""
    try:
        record: dict[str, Any] = json.loads((project / RECORD).read_text(encoding="utf-8"))
        record["template"], record["version"], record["answers"].keys()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        fix = f"`git log -- {RECORD}` shows what it was"
        raise Refused(f"{RECORD} is no record ({error!r})", fix=fix) from error
    return record


def released(address: str, wanted: str) -> str:
    """The version that is wanted, else the newest. Raises `Refused` where it was not released."""
    there = list(repository_state.commits(git.remote_refs(address, "refs/tags/v*")))
    if not there:
        raise Refused(f"no version of {address}", "a tag such as v1.2.0", "wait for a release")
    if wanted and wanted not in there:
        found = f"no version {wanted} of {address}"
        raise Refused(found, f"one of {', '.join(there)}", "leave VERSION out for the newest")
    return wanted or there[0]


class Template:
    """A clone that generates projects from the recorded answers."""

    def __init__(self, folder: Path, address: str, record: dict[str, Any]) -> None:
        """Clone it; `address` may be a path, which is recorded nowhere."""
        self._folder, self._clone, self._address = folder, folder / "clone", address
        self._record = record
        if (cloned := git.clone(address, self._clone)).code:
            raise Refused("`git clone` failed", output=cloned.output)

    def made_from(self) -> str:
        """The commit that this project was made from. Raises `Refused` when it is not there."""
        commit, version = self._record.get("commit"), self._record["version"]
        for known in filter(None, (commit, version and f"refs/tags/{version}")):
            if git.succeeds(*self._in_clone("cat-file", "-e", f"{known}^{{commit}}")):
                return self.commit(known)
        found = f"made from an unknown version: {version or commit or 'none is recorded'}"
        expected = f"a version of {self._address}"
        raise Refused(found, expected, f'write its tag into {RECORD}, e.g. "version": "v0.1.0"')

    def commit(self, name: str) -> str:
        return git.git(*self._in_clone("rev-parse", "--verify", f"{name}^{{commit}}"))

    def version_in(self, commit: str) -> str | None:
        """The newest version that a commit holds; None where it holds none."""
        return versions.newest(git.git(*self._in_clone("tag", "--merged", commit)).split())

    def questions(self, commit: str) -> dict[str, Any]:
        """The questions that this commit of the template has, with their choices or defaults."""
        text = git.git(*self._in_clone("show", f"{commit}:cookiecutter.json"))
        questions: dict[str, Any] = json.loads(text)
        return questions

    def generate(self, commit: str, changed: Mapping[str, str] | None = None) -> Path:
        """Make the project anew, as this commit of the template does, some answers changed.

        Raises `Refused` when it is not made, or does not take a recorded answer.
        """
        git.git(*self._in_clone("checkout", "--quiet", "--detach", commit))
        name = str(self._record["template"]) or self._address
        made = Path(tempfile.mkdtemp(dir=self._folder))
        answers = {**self._record["answers"], **(changed or {})}
        for question, choices in self.questions(commit).items():
            if isinstance(choices, list) and answers.get(question, choices[0]) not in choices:
                raise _no_answer(question, answers[question])
        options = ["--no-input", "--config-file", self._config(name, answers), "--output-dir", made]
        aside = {"TMPDIR": str(self._folder)}  # it leaves its hooks' scripts there
        shell.check_output([self._generator, name, *options], aside)
        (project,) = made.iterdir()
        taken = recorded(project)["answers"]
        for question, answer in answers.items():
            if taken.get(question, answer) != answer:
                raise _no_answer(question, answer)
        return project

    @cached_property
    def _generator(self) -> Path:
        """The program that generates, from the hash lock of what is checked out first."""
        venv, uv = self._folder / "venv", setup.uv()
        shell.check_output([uv, "venv", "--quiet", "--python", sys.executable, venv])
        install = [uv, "pip", "install", "--quiet", "--python", venv / "bin" / "python"]
        lock = self._clone / "requirements-generate.txt"
        shell.check_output([*install, "--require-hashes", "--requirement", lock])
        return venv / "bin" / "cookiecutter"

    def _config(self, name: str, answers: dict[str, str]) -> Path:
        """A configuration where the name means this clone and the answers are the defaults.

        Answers to no question are left out; the user's own configuration has no say.
        """
        example = {"_example": str(self._record.get("example", True)).lower()}
        config = {
            "abbreviations": {name: str(self._clone)},
            "cookiecutters_dir": str(self._folder / "clones"),
            "default_context": answers | example,
            "replay_dir": str(self._folder / "replay"),
        }
        path = self._folder / "config.json"
        path.write_text(json.dumps(config, ensure_ascii=False), encoding="utf-8")
        return path

    def _in_clone(self, *words: str) -> tuple[str, ...]:
        return ("-C", str(self._clone), *words)


def _no_answer(question: str, answer: str) -> Refused:
    found = f"{question}={answer!r} is no answer any more"
    return Refused(found, "the recorded answers to be taken", "an earlier VERSION")


def commit_of(folder: Path, message: str, *parents: str) -> str:
    """Store all files of a folder as a commit without a ref: git prunes it some day."""
    place = ["-C", str(folder), f"--git-dir={shell.ROOT / git.git('rev-parse', '--git-dir')}"]
    with tempfile.TemporaryDirectory() as aside:
        index = Path(aside, "index")
        git.git(*place, f"--work-tree={folder}", "add", "--all", "--force", ".", index=index)
        tree = git.git("write-tree", index=index)
    after = [word for parent in parents for word in ("-p", parent)]
    return git.git(*git.NOBODY, "commit-tree", "-m", message, *after, tree)
