import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from vitals.ops.project import lock
from vitals.ops.run import shell
from vitals.ops.run.steps import Refused


def pins(file: str) -> Iterator[tuple[Requirement, list[str]]]:
    """Each pinned requirement with its hashes."""
    text = (shell.ROOT / file).read_text().replace("\\\n", "")
    for line in text.splitlines():
        requirement, *hashes = re.split(r"\s+--hash=", line.strip())
        yield Requirement(requirement), hashes


@pytest.mark.parametrize("locked", lock.LOCKS, ids=lambda locked: locked.file)
def test_every_pin_is_exact_and_has_hashes(locked: lock.Lock) -> None:
    loose = [
        pin.name
        for pin, hashes in pins(locked.file)
        if not hashes
        or not all(re.fullmatch(r"sha256:[0-9a-f]{64}", known) for known in hashes)
        or [spec.operator for spec in pin.specifier] != ["=="]
    ]

    assert loose == []


@pytest.mark.parametrize("locked", lock.LOCKS, ids=lambda locked: locked.file)
def test_no_lock_names_an_index_or_a_folder(locked: lock.Lock) -> None:
    text = (shell.ROOT / locked.file).read_text()

    assert "://" not in text
    assert not re.search(r"^\s*(-|#)(?!-hash)", text, re.MULTILINE)


def test_the_development_lock_holds_the_very_pins_of_the_runtime_lock() -> None:
    runtime = {str(pin) for pin, _ in pins("requirements.txt")}

    assert runtime <= {str(pin) for pin, _ in pins("requirements-dev.txt")}


def test_a_package_from_an_address_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[project]\ndependencies = ["a @ https://example.com/a.whl"]\n[dependency-groups]\n'
    )
    monkeypatch.setattr("vitals.ops.project.setup.uv", lambda: "uv")
    monkeypatch.setattr("vitals.ops.run.shell.check_output", lambda _: "")
    (tmp_path / "requirements.txt").write_text("a @ https://example.com/a.whl\n")

    with pytest.raises(Refused, match="names an address"):
        lock.write(tmp_path, lock.LOCKS[0])


def test_a_wheel_that_would_download_its_program_is_not_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, generic, source = "a" * 64, "b" * 64, "c" * 64
    listed = f"""[[packages]]
sdist = {{ url = "https://x/g.tar.gz", hashes = {{ sha256 = "{source}" }} }}
wheels = [
    {{ url = "https://x/g-8-py3-none-any.whl", hashes = {{ sha256 = "{generic}" }} }},
    {{ url = "https://x/g-8-py3-none-win_amd64.whl", hashes = {{ sha256 = "{known}" }} }},
]
"""
    hashes = " \\\n".join(f"    --hash=sha256:{each}" for each in (known, generic, source))
    (tmp_path / "pyproject.toml").write_text("[project]\ndependencies = []\n[dependency-groups]\n")
    (tmp_path / "requirements.txt").write_text(f"{lock.PROGRAM}==8 \\\n{hashes}\nhttpx==1\n")
    monkeypatch.setattr("vitals.ops.project.setup.uv", lambda: "uv")
    monkeypatch.setattr(
        "vitals.ops.run.shell.check_output",
        lambda command: "pylock.toml" in str(command[-1]) and command[-1].write_text(listed),
    )

    lock.write(tmp_path, lock.LOCKS[0])

    written = (tmp_path / "requirements.txt").read_text()
    assert written == f"{lock.PROGRAM}==8 \\\n    --hash=sha256:{known}\nhttpx==1\n"
