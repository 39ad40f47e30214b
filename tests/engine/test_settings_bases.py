"""Every refusal, for every combination and order of bases and for a team's own secret.

Pydantic orders fields by the reversed order of bases: no check may depend on it.
"""

from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, Field, SecretStr

from vitals import CacheSettings, DatabaseSettings, Settings, SettingsRefused, load
from vitals.settings import redacted, secret_names
from vitals.settings_loader import FOR_TOKENS, OPTIONAL

STRONG = "k7Vq2mX9sT4wB8nZ3cR6yL1"
BASES: dict[str, tuple[type[Settings], ...]] = {
    "settings": (Settings,),
    "database": (DatabaseSettings,),
    "cache": (CacheSettings,),
    "database, cache": (DatabaseSettings, CacheSettings),
    "cache, database": (CacheSettings, DatabaseSettings),
    "database, cache, settings": (DatabaseSettings, CacheSettings, Settings),
}


class Plain(BaseModel):
    """A base of the team's that is no settings by itself."""

    api_key: SecretStr = Field(SecretStr("placeholder"), description="a key of the team's")


class Derived(Settings):
    """A base of the team's that is settings by itself."""

    api_key: SecretStr = Field(SecretStr("placeholder"), description="a key of the team's")


def _with(bases: tuple[type, ...], **fields: Any) -> type[Settings]:
    made: type[Settings] = type("Own", bases, {"__annotations__": {}, **fields})
    return made


def _own(bases: tuple[type[Settings], ...]) -> dict[str, type[Settings]]:
    """The settings types of a team, by where its own secret is."""

    class Body(*bases):  # type: ignore[misc]
        api_key: SecretStr = Field(SecretStr("placeholder"), description="a key of the team's")

    class Optional(*bases):  # type: ignore[misc]
        api_key: SecretStr | None = Field(None, description="a key of the team's")

    kinds = {"none": _with(bases), "in the body": Body, "optional": Optional}
    kinds |= {"in a base before": _with((Plain, *bases)), "in a base after": _with((*bases, Plain))}
    kinds["in settings before"] = _with((Derived, *(b for b in bases if b is not Settings)))
    if Settings not in bases:
        kinds["in settings after"] = _with((*bases, Derived))
    return kinds


TYPES = {
    f"{name}; own {where}": own
    for name, bases in BASES.items()
    for where, own in _own(bases).items()
}


@pytest.fixture(params=TYPES)
def settings_type(request: pytest.FixtureRequest) -> type[Settings]:
    return TYPES[request.param]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of the secrets, with a real one."""
    (tmp_path / "strong").write_text(f"{STRONG}\n")
    (tmp_path / "placeholder").write_text("Change-Me-before-production\n")
    return tmp_path


def complete(settings_type: type[Settings], folder: Path, **given: str) -> dict[str, str]:
    """All settings of a deployment, with its secrets in files."""
    values = {
        name: "" if field.default == () else str(field.default)
        for name, field in settings_type.model_fields.items()
        if name not in secret_names(settings_type)
    }
    values |= dict.fromkeys(secret_names(settings_type), "secret://strong")
    urls = {"database_url": "postgresql", "cache_url": "redis"}
    for name in urls.keys() & values.keys():
        (folder / name).write_text(f"{urls[name]}://app:{STRONG}@host/0")
        values[name] = f"secret://{name}"
    values |= {"environment": "staging", "secrets_dir": str(folder), "auth": "off"} | given
    return {f"APP_{name.upper()}": value for name, value in values.items()}


def faults(settings_type: type[Settings], environ: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsRefused) as refused:
        load(settings_type, environ)
    return refused.value.faults


def names(lines: list[str]) -> list[str]:
    return sorted(line.partition(":")[0] for line in lines)


def secrets(settings_type: type[Settings]) -> list[str]:
    return [f"APP_{name.upper()}" for name in secret_names(settings_type)]


def test_every_secret_of_every_base_is_known(settings_type: type[Settings]) -> None:
    expected = {"ops_token", "database_url", "cache_url", "api_key"} & {*settings_type.model_fields}

    assert set(secret_names(settings_type)) == expected


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_a_complete_deployment_is_accepted_and_its_secrets_are_read(
    settings_type: type[Settings], folder: Path, environment: str
) -> None:
    settings = load(settings_type, complete(settings_type, folder, environment=environment))

    assert settings.ops_token.get_secret_value() == STRONG
    assert STRONG not in repr(settings) + str(redacted(settings))


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_each_setting_is_required_in_a_deployment(
    settings_type: type[Settings], folder: Path, environment: str
) -> None:
    environ = complete(settings_type, folder, environment=environment)
    optional = {f"APP_{name.upper()}" for name in OPTIONAL}

    for name in environ.keys() - optional - {"APP_ENVIRONMENT"}:
        [line] = faults(settings_type, {n: v for n, v in environ.items() if n != name})
        assert line.startswith(f"{name}: required in staging and production (")


def test_without_anything_else_all_of_them_are_required(settings_type: type[Settings]) -> None:
    found = faults(settings_type, {"APP_ENVIRONMENT": "production"})

    required = settings_type.model_fields.keys() - {*OPTIONAL, "environment"}
    assert names(found) == sorted(f"APP_{name.upper()}" for name in required)


@pytest.mark.parametrize("environment", ["staging", "production"])
@pytest.mark.parametrize("given", ["Change-Me-before-production", "secret://placeholder"])
def test_a_placeholder_is_refused_in_a_deployment(
    settings_type: type[Settings], folder: Path, environment: str, given: str
) -> None:
    environ = complete(settings_type, folder, environment=environment)

    for name in secrets(settings_type):
        found = faults(settings_type, environ | {name: given})
        assert {line.partition(":")[0] for line in found} == {name}
        assert (
            f"{name}: found a secret (not shown); expected a real one, no placeholder ("
            in "".join(found)
        )
        assert "Change-Me" not in "".join(found)


def test_the_placeholder_of_a_url_is_its_password(
    settings_type: type[Settings], folder: Path
) -> None:
    urls = {"APP_DATABASE_URL": "postgresql", "APP_CACHE_URL": "rediss"}
    environ = complete(settings_type, folder)

    for name in urls.keys() & environ.keys():
        [line] = faults(settings_type, environ | {name: f"{urls[name]}://app:example@host/0"})
        assert line.startswith(f"{name}: found a secret (not shown); expected a real one")


@pytest.mark.parametrize("environment", ["local", "test"])
def test_placeholders_and_defaults_are_accepted_where_nothing_is_deployed(
    settings_type: type[Settings], environment: str
) -> None:
    environ = {"APP_ENVIRONMENT": environment, "APP_OPS_TOKEN": "placeholder-ops-token"}

    assert load(settings_type, environ).environment == environment


@pytest.mark.parametrize("environment", ["local", "test", "staging", "production"])
def test_a_secret_without_its_file_is_refused_once(
    settings_type: type[Settings], folder: Path, environment: str
) -> None:
    environ = complete(settings_type, folder, environment=environment)

    for name in secrets(settings_type):
        [line] = faults(settings_type, environ | {name: "secret://nowhere"})
        assert line.startswith(f"{name}: cannot read {folder / 'nowhere'}: ")


@pytest.mark.parametrize("environment", ["local", "test"])
def test_a_secret_is_read_from_its_file_where_nothing_is_deployed_too(
    settings_type: type[Settings], folder: Path, environment: str
) -> None:
    environ = complete(settings_type, folder, environment=environment)

    settings = load(settings_type, environ)

    assert settings.ops_token.get_secret_value() == STRONG
    if own := getattr(settings, "api_key", None):
        assert own.get_secret_value() == STRONG


@pytest.mark.parametrize("environment", ["local", "test", "staging", "production"])
def test_tokens_require_their_issuer_audience_and_keys(
    settings_type: type[Settings], folder: Path, environment: str
) -> None:
    environ = complete(settings_type, folder, environment=environment, auth="jwt")
    required = sorted(f"APP_{name.upper()}" for name in FOR_TOKENS)

    empty = faults(settings_type, environ | dict.fromkeys(required, ""))
    absent = faults(settings_type, {n: v for n, v in environ.items() if n not in required})

    assert names(empty) == names(absent) == required
    assert all(": required because APP_AUTH is jwt (" in line for line in chain(empty, absent))


def test_a_wrong_value_an_unknown_name_and_a_weak_secret_are_refused_at_once(
    settings_type: type[Settings], folder: Path
) -> None:
    environ = complete(settings_type, folder, port="http", ops_token="hunter2")

    found = faults(settings_type, environ | {"APP_PROT": "1"})

    assert names(found) == ["APP_OPS_TOKEN", "APP_PORT", "APP_PROT"]
    assert "hunter2" not in "".join(found)


def test_without_an_environment_nothing_else_is_asked_for(settings_type: type[Settings]) -> None:
    [line] = faults(settings_type, {})

    assert line.startswith(
        "APP_ENVIRONMENT: required, one of local, test, staging, production (where this runs)"
    )
