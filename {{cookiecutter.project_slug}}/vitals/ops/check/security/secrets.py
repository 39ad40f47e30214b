"""Group 2: is a secret kept secret, from the repository to the last answer?"""

import re
from collections.abc import Iterator
from pathlib import Path

from vitals.ops.check.security.checklist import Checklist
from vitals.ops.check.security.evidence import Evidence
from vitals.settings import PLACEHOLDERS, PREFIX, REFERENCE, secret_names

CHECKLIST = Checklist()
check = CHECKLIST.check

SECRETS = [PREFIX + name.upper() for name in secret_names()]
WEAK = {"APP_OPS_TOKEN": "a" * 40}
RULE = "OWASP ASVS 13.3"


@check("SEC-201", "none", "take it out, and renew it: it is known now", "OWASP ASVS 13.3.1")
def the_tree_holds_no_secret(seen: Evidence) -> Iterator[str]:
    """No secret lies in the repository"""
    yield from (f"{leak}: what looks like a secret" for leak in seen.leaks)


@check("SEC-202", "none", "renew it: it is known, also without that commit", "OWASP ASVS 13.3.1")
def the_history_holds_no_secret(seen: Evidence) -> Iterator[str]:
    """No secret was committed since the last release"""
    yield from (f"history, {leak}: what looks like a secret" for leak in seen.leaks_in_history)


@check("SEC-203", "secret://name", "put it into a file of APP_SECRETS_DIR, and renew it", RULE)
def configuration_names_secrets_only(seen: Evidence) -> Iterator[str]:
    """The configuration only names the places of secrets"""
    for environment, lines in seen.lines.items():
        for name in SECRETS:
            if not lines.get(name, REFERENCE).startswith(REFERENCE):
                yield f"{environment}: {name} holds its value"


@check("SEC-204", "a real value", "write one", RULE)
def no_placeholder_is_left(seen: Evidence) -> Iterator[str]:
    """No placeholder is left in the configuration"""
    for environment, lines in seen.lines.items():
        for name, value in lines.items():
            if any(word in value.lower() for word in PLACEHOLDERS):
                yield f"{environment}: {name}={value}"


@check("SEC-205", "a refusal of the start", "give the setting the type Token", "NIST SP 800-63B")
def a_secret_that_can_be_guessed_stops_the_start(seen: Evidence) -> Iterator[str]:
    """A secret that can be guessed stops the start"""
    for name in WEAK:
        if not any(line.startswith(f"{name}:") for line in seen.refused):
            yield f"{name}: a weak one is taken"


@check("SEC-206", ".env among them", "add .env to .gitignore", RULE)
def local_settings_stay_local(seen: Evidence) -> Iterator[str]:
    """A file of local settings can't be committed by oversight"""
    if ".env" not in seen.text(".gitignore").split():
        yield ".gitignore names other files only"
    if Path(".env") in seen.files:
        yield ".env is in the repository"


@check("SEC-207", "no such text", "log types and names, never values", "OWASP ASVS 16.2.5")
def the_log_holds_no_secret(seen: Evidence) -> Iterator[str]:
    """What was sent as a secret is not in the log"""
    for place in ("token", "ops", "url", "exception"):
        if seen.canaries[place] in seen.log:
            yield f"the log holds the canary of: {place}"


@check("SEC-208", "no such text", "answer with rules, never with values", "OWASP ASVS 16.5.1")
def no_answer_holds_a_secret(seen: Evidence) -> Iterator[str]:
    """What was sent is in no answer, be it an error, health, metrics or a page"""
    for name, answer in seen.answers.items():
        shown = answer.body + "".join(value for _, value in answer.headers)
        for place, canary in seen.canaries.items():
            if canary in shown:
                yield f"{name}: the answer holds the canary of: {place}"


@check("SEC-209", "*** or secret://name", "redact it in vitals/ops/check/config.py", RULE)
def the_shown_configuration_holds_no_secret(seen: Evidence) -> Iterator[str]:
    """What `make config` shows holds no secret"""
    for name in SECRETS:
        if re.search(rf"^{name}=(?!\*\*\*|{REFERENCE}).", seen.shown, re.MULTILINE):
            yield f"`make config SHOW=...` shows {name}"
