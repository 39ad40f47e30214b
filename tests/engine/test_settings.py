"""Are wrong settings refused, all at once, each with what was found and what was expected?"""

from pathlib import Path

import pytest

from vitals.settings import IN_LOCAL, Settings, SettingsRefused, load, secret_names

STRONG = "k7Vq2mX9sT4wB8nZ3cR6yL1"


def faults(**environ: str) -> list[str]:
    with pytest.raises(SettingsRefused) as refused:
        load({f"APP_{name}": value for name, value in environ.items()})
    return refused.value.faults


def deployed(folder: Path) -> dict[str, str]:
    """All settings of a staging environment, with secrets in files."""
    (folder / "a_secret").write_text(f"{STRONG}\n")
    given = {
        name: ",".join(field.default) if field.default == () else str(field.default)
        for name, field in Settings.model_fields.items()
        if name not in secret_names()
    }
    given |= {"environment": "staging", "secrets_dir": str(folder)}
    for name in secret_names():
        default = Settings.model_fields[name].default.get_secret_value()
        given[name] = default if "://" in default else "secret://a_secret"
    return {f"APP_{name.upper()}": value for name, value in given.items()}


def test_every_setting_says_what_it_is_for() -> None:
    assert [n for n, field in Settings.model_fields.items() if not field.description] == []


def test_nothing_has_to_be_given_to_run_locally() -> None:
    settings = load({"HOME": "/somewhere", "APPLE": "1"})

    assert settings.environment == "local"
    assert settings.docs
    assert settings.log_format == "text"


def test_what_is_on_by_default_in_local_is_off_elsewhere() -> None:
    settings = load({"APP_ENVIRONMENT": "test"})

    assert {n: getattr(settings, n) for n in IN_LOCAL} == {
        "docs": False,
        "log_format": "json",
        "server_timing": False,
    }


def test_all_faults_are_told_at_once() -> None:
    told = faults(PORT="http", PROT="1", LOG_LEVEL="loud", OPS_TOKEN="short")

    assert [line.split(":")[0] for line in told] == [
        "APP_PROT",
        "APP_PORT",
        "APP_LOG_LEVEL",
        "APP_OPS_TOKEN",
    ]


def test_a_wrong_value_is_told_with_what_was_expected_and_what_it_is_for() -> None:
    (line,) = faults(PORT="70000")

    assert line == (
        "APP_PORT: found '70000'; expected less than or equal to 65535: "
        "the port to listen on; 0 takes a free one"
    )


def test_a_mistyped_name_is_told_with_the_nearest_known_one() -> None:
    (line,) = faults(DRAIN_SECOND="3")

    assert "the nearest is APP_DRAIN_SECONDS" in line


def test_the_value_of_a_secret_is_never_shown() -> None:
    (line,) = faults(OPS_TOKEN="hunter2")

    assert "hunter2" not in line


def test_outside_local_and_test_everything_must_be_given(tmp_path: Path) -> None:
    complete = deployed(tmp_path)
    load(complete)

    for name in complete.keys() - {"APP_ENVIRONMENT"}:
        with pytest.raises(SettingsRefused, match=f"{name}: not given"):
            load({given: value for given, value in complete.items() if given != name})


def test_a_placeholder_is_no_secret_outside_local_and_test(tmp_path: Path) -> None:
    environ = deployed(tmp_path) | {"APP_OPS_TOKEN": "Change-Me-before-production"}

    with pytest.raises(
        SettingsRefused, match="APP_OPS_TOKEN: found this secret; expected a real one"
    ):
        load(environ)


def test_a_secret_is_read_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "ops").write_text(f"{STRONG}\n")

    settings = load({"APP_SECRETS_DIR": str(tmp_path), "APP_OPS_TOKEN": "secret://ops"})

    assert settings.ops_token.get_secret_value() == STRONG
    assert STRONG not in repr(settings)


def test_a_missing_secret_is_told_with_the_file_that_was_looked_for(tmp_path: Path) -> None:
    (line,) = faults(SECRETS_DIR=str(tmp_path), OPS_TOKEN="secret://ops")

    assert f"expected it in {tmp_path / 'ops'}, but: No such file or directory" in line


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALLOWED_HOSTS", "*"),
        ("ALLOWED_HOSTS", "api.example.com, https://api.example.com"),
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
    (line,) = faults(**{name: value})

    assert line.startswith(f"APP_{name}: found '{value}'; expected ")


def test_lists_are_given_by_comma() -> None:
    settings = load({"APP_ALLOWED_HOSTS": "api.example.com, *.example.org"})

    assert settings.allowed_hosts == ("api.example.com", "*.example.org")


def test_tokens_are_not_asked_for_without_knowing_whose() -> None:
    told = faults(AUTH="jwt")

    assert [line.split(":")[0] for line in told] == [
        "APP_AUTH_ISSUER",
        "APP_AUTH_AUDIENCE",
        "APP_AUTH_JWKS_URL",
    ]


def test_a_token_that_can_be_guessed_is_refused() -> None:
    (line,) = faults(OPS_TOKEN="abcabcabcabcabcabcabc")

    assert line.startswith("APP_OPS_TOKEN: found this secret; expected random text")
