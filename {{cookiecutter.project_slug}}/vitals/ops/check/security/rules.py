"""Checks that are patterns: rules.toml lists them and says how to add one."""

import re
import tomllib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from vitals.ops.check.security import manifests
from vitals.ops.check.security.checklist import CHECKS, Check, Findings
from vitals.ops.check.security.gather import Evidence

RULES = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
FILES = {kind: re.compile(names).fullmatch for kind, names in RULES.pop("files").items()}
DOCKERFILE = FILES["dockerfile"]
NEVER = ["(?!)"]


def _in_settings(seen: Evidence, rule: Mapping[str, Any]) -> Findings:
    """Values of settings that are not valid where the service is deployed."""
    for environment, settings in seen.settings.items():
        for name, wrong in {**rule["settings"], **rule.get(environment, {})}.items():
            given = getattr(settings, name)
            values = given if isinstance(given, tuple) else (str(given).lower(),)
            if isinstance(wrong, int):
                is_wrong = given > wrong
            else:
                is_wrong = any(re.fullmatch("|".join(wrong), value) for value in values or ("",))
            if is_wrong:
                yield f"{environment} APP_{name.upper()}", ",".join(values) or "empty"


def _in_text(seen: Evidence, rule: Mapping[str, Any]) -> Findings:
    """What files hold; a command that goes on in the next line is one."""
    for kinds, alternatives in rule["text"].items():
        for file in (f for f in seen.files if any(FILES[kind](f) for kind in kinds.split("+"))):
            text = re.sub(r"^\s*#.*", "", seen.text(file), flags=re.MULTILINE)
            text = re.sub(r"\s*\\\r?\n\s*|\n\s*(?=[|&])", " ", text)
            for found in re.finditer("|".join(alternatives), text, re.MULTILINE):
                yield f"{file} {' '.join(found[0].split())[:80]}", "found"


def in_facts(seen: Evidence, rule: Mapping[str, Any]) -> Findings:
    """What containers and documents have, and what a container that is whole lacks."""
    for place, text, is_container in seen.once(manifests.subjects):
        patterns = "|".join(rule.get("container" if is_container else "document", NEVER))
        for found in re.finditer(rf"^(?:{patterns})$", text, re.MULTILINE):
            yield f"{place} {' '.join(found[0].split())}", "found"
        is_whole = is_container and re.search("^(image|build)[.=]", text, re.MULTILINE)
        for name, one_of in rule.get("needed", {}).items() if is_whole else ():
            if not re.search(rf"^({one_of})[.=\n]", text, re.MULTILINE):
                yield f"{place} {name}", "missing"


for _id, _rule in RULES.items():
    if "title" not in _rule:
        continue  # patterns of a check that does more
    _find = _in_settings if "settings" in _rule else _in_text if "text" in _rule else in_facts
    _words = (_rule[name] for name in ("expected", "fix", "reference"))
    CHECKS.append(Check(_id, _rule["title"], partial(_find, rule=_rule), *_words))
