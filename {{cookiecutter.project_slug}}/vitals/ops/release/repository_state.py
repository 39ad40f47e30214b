"""Where does the project stand between two releases? What is here and what the remote says."""

from dataclasses import dataclass

from vitals.ops.release import versions
from vitals.ops.run import git
from vitals.ops.run.steps import Refused

MAIN = "main"
BRANCH = f"refs/heads/{MAIN}"


@dataclass(frozen=True)
class Now:
    """What is here and what the remote says, each asked once."""

    level: str
    head: str
    tree: str | None
    upstream: str  # the remote that main follows, or nothing
    here: dict[str, str]
    there: dict[str, str]
    silence: Refused | None  # why the remote said nothing

    @property
    def remote(self) -> str:
        return self.upstream or "origin"

    @property
    def tags(self) -> dict[str, str]:
        """The commit of each version: the remote's word, or what is known here if it is silent."""
        return commits(self.here if self.silence else self.there)

    @property
    def previous(self) -> str | None:
        """The newest version that is not this very commit."""
        return versions.newest(tag for tag, commit in self.tags.items() if commit != self.head)

    @property
    def version(self) -> str:
        """The version to be; raises `Refused` when LEVEL gives none."""
        return versions.following(self.previous, self.level)


def asked(level: str) -> Now:
    """Ask here and there. Raises `Refused` where there is no commit to release."""
    head = git.head()
    upstream = git.git("config", "--default", "", f"branch.{MAIN}.remote")
    upstream = "" if upstream == "." else upstream
    wanted = (BRANCH, "refs/tags/v*")
    there: dict[str, str] = {}
    silence = None
    try:
        there = git.refs(upstream or "origin", *wanted)
    except Refused as refusal:
        silence = refusal
    return Now(level, head, git.tree_hash(), upstream, git.refs_here(*wanted), there, silence)


def objects(refs: dict[str, str]) -> dict[str, str]:
    """What each version among these refs points to: a tag object, or just a commit."""
    tags = {ref.removeprefix("refs/tags/"): found for ref, found in refs.items()}
    return {tag: tags[tag] for tag in versions.sort(tags)}


def commits(refs: dict[str, str]) -> dict[str, str]:
    """The commit of each version among these refs."""
    return {tag: refs.get(f"refs/tags/{tag}^{{}}", found) for tag, found in objects(refs).items()}
