"""Settings: every fault is refused at once, each with what was found and what is valid."""

from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import Field, SecretStr, model_validator

import vitals
from vitals import CacheSettings, DatabaseSettings, Settings, SettingsRefused
from vitals.setting_types import Token
from vitals.settings import load, redacted, secret_names
from vitals.settings_loader import DEFAULTS

STRONG = "k7Vq2mX9sT4wB8nZ3cR6yL1"


def faults(settings_type: type[Settings] = Settings, /, **environ: str) -> list[str]:
    given = {"ENVIRONMENT": "test"} | environ
    with pytest.raises(SettingsRefused) as refused:
        load(settings_type, {f"APP_{name}": value for name, value in given.items()})
    return refused.value.faults


@pytest.mark.parametrize("settings_type", [Settings, DatabaseSettings, CacheSettings])
def test_every_setting_says_what_it_is_for(settings_type: type[Settings]) -> None:
    fields = settings_type.model_fields

    assert [name for name, field in fields.items() if not field.description] == []


def test_only_the_environment_has_to_be_given_to_run_locally() -> None:
    settings = load(Settings, {"APP_ENVIRONMENT": "local", "HOME": "/somewhere", "APPLE": "1"})

    assert settings.environment == "local"
    assert settings.docs
    assert settings.server_timing
    assert settings.log_format == "text"


def test_without_an_environment_the_start_is_refused_with_those_there_are() -> None:
    with pytest.raises(SettingsRefused) as refused:
        load(Settings, {})

    [line] = refused.value.faults
    assert line == (
        "APP_ENVIRONMENT: required, one of local, test, staging, production (where this runs)"
    )


def test_an_unknown_environment_is_refused_with_those_there_are() -> None:
    [line] = faults(ENVIRONMENT="prod")

    assert line.startswith("APP_ENVIRONMENT: found 'prod'; expected 'local', 'test', 'staging' or")


def test_what_is_on_by_default_in_local_is_off_in_test() -> None:
    settings = load(Settings, {"APP_ENVIRONMENT": "test"})

    assert {name: getattr(settings, name) for name in DEFAULTS["local"]} == {
        "docs": False,
        "log_format": "json",
        "server_timing": False,
    }


def test_all_faults_are_reported_at_once() -> None:
    found = faults(PORT="http", PROT="1", LOG_LEVEL="loud", OPS_TOKEN="short", AUTH="jwt")

    assert {line.partition(":")[0] for line in found} == {
        "APP_PROT",
        "APP_PORT",
        "APP_LOG_LEVEL",
        "APP_OPS_TOKEN",
        "APP_AUTH_ISSUER",
        "APP_AUTH_AUDIENCE",
        "APP_AUTH_JWKS_URL",
    }


def test_a_wrong_value_is_reported_with_what_is_valid_and_what_it_is_for() -> None:
    [line] = faults(PORT="70000")

    assert line == (
        "APP_PORT: found '70000'; expected less than or equal to 65535 "
        "(the port to listen on; 0 takes a free one)"
    )


def test_a_mistyped_name_is_reported_with_the_closest_one() -> None:
    [line] = faults(DRAIN_SECOND="3")

    assert line.startswith("APP_DRAIN_SECOND: no such setting; the closest is APP_DRAIN_SECONDS.")


def test_a_missing_file_of_a_secret_is_reported_with_its_path_and_the_fix(tmp_path: Path) -> None:
    [line] = faults(SECRETS_DIR=str(tmp_path), OPS_TOKEN="secret://ops")

    assert line == (
        f"APP_OPS_TOKEN: cannot read {tmp_path / 'ops'}: no such file or directory. "
        "Fix: create it, or point APP_SECRETS_DIR elsewhere"
    )


def test_a_file_of_a_secret_that_is_not_text_is_reported(tmp_path: Path) -> None:
    (tmp_path / "ops").write_bytes(b"\xff\xfe")

    [line] = faults(SECRETS_DIR=str(tmp_path), OPS_TOKEN="secret://ops")

    assert f"cannot read {tmp_path / 'ops'}: not text" in line


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALLOWED_HOSTS", "*"),
        ("ALLOWED_HOSTS", "api.example.com, https://api.example.com"),
        ("ALLOWED_HOSTS", "api.example.com:8443"),
        ("ALLOWED_HOSTS", "api.example.com."),
        ("CORS_HEADERS", "*"),
        ("CORS_HEADERS", "X Tenant"),
        ("CORS_HEADERS", "X-Tenant: a"),
        ("CORS_ORIGINS", "*"),
        ("CORS_ORIGINS", "shop.example.com"),
        ("CORS_ORIGINS", "https://shop.example.com/"),
        ("TRUSTED_PROXIES", "*"),
        ("TRUSTED_PROXIES", "0.0.0.0/0"),
        ("AUTH_JWKS_URL", "ftp://issuer.example.com/jwks.json"),
        ("AUTH_JWKS_URL", "http://issuer.example.com/jwks.json"),
    ],
)
def test_what_opens_the_service_too_far_is_refused(name: str, value: str) -> None:
    [line] = faults(**{name: value})

    assert line.startswith(f"APP_{name}: found '{value}'; expected ")


def test_lists_are_given_by_comma() -> None:
    environ = {"APP_ENVIRONMENT": "test", "APP_ALLOWED_HOSTS": "api.example.com, *.example.org"}

    assert load(Settings, environ).allowed_hosts == ("api.example.com", "*.example.org")


def test_a_token_that_can_be_guessed_is_refused() -> None:
    [line] = faults(OPS_TOKEN="abcabcabcabcabcabcabc")

    assert line.startswith("APP_OPS_TOKEN: found a secret (not shown); expected random text")


@pytest.mark.parametrize("sign", ["\n", " ", "é", "\x00"])
def test_a_token_that_no_client_can_send_is_refused(sign: str) -> None:
    for token in (f"{STRONG}{sign}", f"{sign}{STRONG}", f"{STRONG}{sign}x"):
        [line] = faults(OPS_TOKEN=token)

        assert line.startswith("APP_OPS_TOKEN: found a secret (not shown); expected ASCII")
        assert STRONG not in line


@pytest.mark.parametrize(
    "url",
    [
        *("https://", "https://h/a b", "https://h:99999/x", "https://user:pw@h/x", "https://ü.de/"),
        *("https://h\n", "https:///x", "file:///", "file:///x\n", "http://h/x"),
    ],
)
def test_an_address_of_keys_that_can_never_work_is_refused(url: str) -> None:
    [line] = faults(AUTH_JWKS_URL=url)

    assert line.startswith("APP_AUTH_JWKS_URL: ")


@pytest.mark.parametrize("origin", ["https://x.io:443", "http://x.io:80", "https://x.io:65536"])
def test_an_origin_that_no_browser_sends_is_refused(origin: str) -> None:
    [line] = faults(CORS_ORIGINS=f"http://x.io:8080,https://x.io:80,{origin}")

    assert line.startswith("APP_CORS_ORIGINS: ")


@pytest.mark.parametrize(
    ("settings_type", "name", "value"),
    [
        (DatabaseSettings, "DATABASE_URL", "mysql://u:hunter2@host/name"),
        (CacheSettings, "CACHE_URL", "http://u:hunter2@host"),
    ],
)
def test_a_url_of_another_kind_is_refused_without_showing_it(
    settings_type: type[Settings], name: str, value: str
) -> None:
    [line] = faults(settings_type, **{name: value})

    assert line.startswith(
        f"APP_{name}: found a secret (not shown); expected a URL that starts with "
    )
    assert "hunter2" not in line


def test_only_the_password_of_a_url_can_be_a_placeholder() -> None:
    url = f"postgresql://example:{STRONG}@db.example.com/example"
    found = faults(DatabaseSettings, ENVIRONMENT="staging", DATABASE_URL=url)

    assert [line for line in found if line.startswith("APP_DATABASE_URL")] == []


class Shop(Settings):
    """Settings of a team: secrets of each kind, and a rule over two settings."""

    optional: Token | None = None
    """a secret that may be missing"""
    several: list[SecretStr] = Field(default_factory=list[SecretStr])
    """secrets in a list"""
    annotated: Annotated[SecretStr | None, Field(min_length=4)] = None
    """a secret with a rule"""
    low: int = 1
    """the lower one"""
    high: int = 2
    """the higher one"""

    @model_validator(mode="after")
    def _in_order(self) -> "Shop":
        if self.low > self.high:
            raise ValueError("APP_LOW: found more than APP_HIGH; expected at most as much")
        return self


def test_every_field_that_holds_a_secret_is_one_however_it_is_typed() -> None:
    assert secret_names(Shop) == ["ops_token", "optional", "several", "annotated"]


@pytest.mark.parametrize("name", ["OPTIONAL", "ANNOTATED", "SEVERAL"])
def test_the_value_of_an_own_secret_is_never_shown(name: str) -> None:
    [line] = faults(Shop, **{name: "abc"})

    assert line.startswith(f"APP_{name}: found a secret (not shown); expected ")
    assert "abc" not in line


def test_a_rule_over_several_settings_is_reported_by_its_own_words() -> None:
    [line] = faults(Shop, LOW="3")

    assert line == "APP_LOW: found more than APP_HIGH; expected at most as much"


class Required(Settings):
    """Settings without a default."""

    partner_key: SecretStr | None
    """the key of the partner"""
    colour: str
    """the colour"""


def test_an_own_setting_without_a_default_is_required_everywhere() -> None:
    found = faults(Required)

    assert found == [
        "APP_PARTNER_KEY: required, it has no default (the key of the partner)",
        "APP_COLOUR: required, it has no default (the colour)",
    ]


def test_no_secret_is_in_the_text_of_settings_or_of_their_variables() -> None:
    environ: dict[str, Any] = {"APP_ENVIRONMENT": "test", "APP_OPS_TOKEN": STRONG}
    settings = load(Settings, environ)

    values = redacted(settings)
    assert values["APP_OPS_TOKEN"] == "**********"
    assert (values["APP_PORT"], values["APP_ALLOWED_HOSTS"]) == ("8000", "")
    assert STRONG not in repr(settings) + str(values)


def test_settings_refused_says_all_its_faults() -> None:
    refusal = vitals.SettingsRefused(["a", "b"])

    assert (str(refusal), refusal.faults) == ("a\nb", ["a", "b"])


def test_an_own_setting_may_be_a_list_of_numbers() -> None:
    class WithList(Settings):
        retries: list[int] = Field([1, 5])
        """seconds between two tries"""

    assert redacted(WithList(environment="test"))["APP_RETRIES"] == "1,5"
