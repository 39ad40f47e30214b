"""Secrets in the files and in the history, found by detect-secrets.

Its patterns apply everywhere; its guesses (random text, names such as password) only where a
secret would be used. `pragma: allowlist secret` in a line says that there is none.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache

from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.filters.heuristic import (
    is_not_alphanumeric_string,
    is_potential_uuid,
    is_sequential_string,
    is_templated_secret,
)
from detect_secrets.plugins.base import RegexBasedDetector
from detect_secrets.plugins.high_entropy_strings import (
    Base64HighEntropyString,
    HexHighEntropyString,
)
from detect_secrets.plugins.keyword import KeywordDetector

from vitals.ops.run import git, shell

HASHES = re.compile(r"requirements[\w-]*\.txt$")  # all of them look random
GUESSED = re.compile(
    r"(app|config|deploy(?!/grafana)|\.github)/"
    r"|(?!\.vitals\.json)[^/]+\.(toml|ya?ml|json|env|ini|cfg)$"  # that holds a commit's hash
)
GUESSERS = (KeywordDetector(), Base64HighEntropyString(), HexHighEntropyString())
NO_GUESS = (
    is_sequential_string,
    is_potential_uuid,
    is_templated_secret,
    is_not_alphanumeric_string,
)
BARE = re.compile(r"([=:]\s*)([^\s\"'#]+)$")  # a value as .env and YAML have it
ASSIGNED = re.compile(r"[=:(]\s*\S{8,}")  # a value that is long enough to be one
# No secret: secret://name, {password}, a word in capitals, an address of tests.
INVENTED = re.compile(
    r"secret://|[{}<>*]|password|:[A-Z]+@|://[^/]*@(127\.0\.0\.1|localhost|somewhere|host)\b"
)
ALLOWED = "pragma: allowlist secret"
NO_SECRETS = {"Public IP (ipv4)"}


def in_files(files: Sequence[str]) -> tuple[str, ...]:
    """The places of secrets in the files, as file:line."""
    found = set()
    for file in files:
        if HASHES.search(file) or not (shell.ROOT / file).is_file():
            continue
        text = (shell.ROOT / file).read_text(encoding="utf-8", errors="replace")
        found |= {f"{file}:{number}" for number in _patterns_in(text)}
        if GUESSED.match(file):
            found |= {f"{file}:{number}" for number in _guesses_in(file, text)}
    return tuple(sorted(found))


def in_history(since: str) -> tuple[str, ...]:
    """The commits since a tag, or all without one, that added a secret, as commit."""
    command = ["log", "-p", "--no-color", "--unified=0", "--format=commit %h", *since.split()]
    added = git.git(*command, "--", ":(top)", ":(top,exclude)*requirements*.txt")
    found = set()
    for commit in added.split("\ncommit "):
        lines = [x[1:] for x in commit.split("\n") if x[:1] == "+" and x[:3] != "+++"]
        if any(_patterns_in("\n".join(lines))):
            found.add(commit.removeprefix("commit ").split("\n")[0])
    return tuple(sorted(found))


def _patterns_in(text: str) -> Iterator[int]:
    """The lines of a text that match the pattern of a known kind of secret."""
    for pattern in _patterns():
        for match in pattern.finditer(text):
            start, end = text.rfind("\n", 0, match.start()) + 1, text.find("\n", match.end())
            line = text[start : end if end >= 0 else None]
            if ALLOWED not in line and not INVENTED.search(line):
                yield text.count("\n", 0, match.start()) + 1


def _guesses_in(file: str, text: str) -> Iterator[int]:
    """The lines of a text with a random text, or with a name such as password."""
    for number, line in enumerate(text.split("\n"), 1):
        if not ASSIGNED.search(line) or ALLOWED in line or INVENTED.search(line):
            continue
        quoted = line if file.endswith(".py") else BARE.sub(r'\1"\2"', line)
        for guesser in GUESSERS:
            for found in guesser.analyze_line(file, quoted, number):
                secret = str(found.secret_value)
                if not any(is_none(secret) for is_none in NO_GUESS):
                    yield number


@cache
def _patterns() -> list[re.Pattern[str]]:
    kinds = get_mapping_from_secret_type_to_class()
    detectors = [
        kind()
        for name, kind in kinds.items()
        if issubclass(kind, RegexBasedDetector) and name not in NO_SECRETS
    ]
    return [pattern for detector in detectors for pattern in detector.denylist]
