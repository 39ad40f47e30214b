"""Repository state before a release: what is here, and what the remote says."""

from dataclasses import dataclass

from vitals.ops.release import versions
from vitals.ops.run import git
from vitals.ops.run.steps import Refused

MAIN = "main"
BRANCH = f"refs/heads/{MAIN}"


@dataclass(frozen=True)
class RepositoryState:
    """What git and the remote say, each asked once."""

    level: str
    head: str
    tree: str | None
    upstream: str  # the remote that main follows, or nothing
    local: dict[str, str]
    published: dict[str, str]
    no_answer: Refused | None  # why the remote did not answer

    @property
    def remote(self) -> str:
        return self.upstream or "origin"

    @property
    def tags(self) -> dict[str, str]:
        """The commit of each version, by the remote; if it does not answer, by what is here."""
        return commits(self.local if self.no_answer else self.published)

    @property
    def previous(self) -> str | None:
        """The newest version that is not this very commit."""
        return versions.newest(tag for tag, commit in self.tags.items() if commit != self.head)

    @property
    def version(self) -> str:
        """The next version; raises `Refused` when LEVEL gives none."""
        return versions.following(self.previous, self.level)


def read(level: str) -> RepositoryState:
    """Ask git and the remote. Raises `Refused` where there is no commit to release."""
    head, wanted = git.head(), (BRANCH, "refs/tags/v*")
    upstream = _upstream()
    published: dict[str, str] = {}
    no_answer = None
    try:
        published = git.remote_refs(upstream or "origin", *wanted)
    except Refused as refusal:
        no_answer = refusal
    local = git.local_refs(*wanted)
    return RepositoryState(level, head, git.tree_hash(), upstream, local, published, no_answer)


def remote() -> str:
    """Return the remote that releases go to: the one that main follows, or else `origin`."""
    return _upstream() or "origin"


def _upstream() -> str:
    found = git.git("config", "--default", "", f"branch.{MAIN}.remote")
    return "" if found == "." else found


def objects(refs: dict[str, str]) -> dict[str, str]:
    """Return what each version among these refs points to: a tag object, or just a commit."""
    tags = {ref.removeprefix("refs/tags/"): found for ref, found in refs.items()}
    return {tag: tags[tag] for tag in versions.sort(tags)}


def commits(refs: dict[str, str]) -> dict[str, str]:
    return {tag: refs.get(f"refs/tags/{tag}^{{}}", found) for tag, found in objects(refs).items()}
