"""Does SECURITY.md tell of every check and of every setting that it is about?"""

import re

from app.settings import Settings
from ops import shell
from ops.security.__main__ import CHECKS

TEXT = (shell.ROOT / "SECURITY.md").read_text(encoding="utf-8")


def test_every_check_stands_in_the_document_as_it_is() -> None:
    told = re.findall(r"^\| (SEC-\d+) \| (.+) \| (.+) \|$", TEXT, re.MULTILINE)

    assert told == [(check.id, check.title, check.reference) for check in CHECKS]


def test_every_setting_that_is_named_exists() -> None:
    named = set(re.findall(r"`APP_(\w+)`", TEXT))

    assert named <= {name.upper() for name in Settings.model_fields}


def test_every_file_that_is_named_exists() -> None:
    code = [shell.ROOT / "app" / "security"]
    named = re.findall(r"`([\w/-]+\.(?:py|toml))`", TEXT)

    missing = [n for n in named if not any((at / n).exists() for at in (shell.ROOT, *code))]
    assert missing == []
