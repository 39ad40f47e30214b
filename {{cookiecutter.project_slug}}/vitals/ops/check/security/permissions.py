"""Group 1: who may do what?"""

from collections.abc import Iterator

from vitals.ops.check.security.checklist import Checklist
from vitals.ops.check.security.evidence import Evidence

CHECKLIST = Checklist()
check = CHECKLIST.check

INSIDE = ("operators", "status", "status page", "clear cache")
OWASP = "OWASP API5:2023"


@check(
    "SEC-101",
    "who may call it",
    "add Depends(allows(...)) to its dependencies, or openapi_extra=PUBLIC",
    OWASP,
)
def every_route_states_who_may_call_it(seen: Evidence) -> Iterator[str]:
    """Every route states who may call it"""
    for name, operation in seen.operations.items():
        if "security" not in operation:
            yield f"{name} states nothing"


@check("SEC-102", "401", "add the guard to the route's dependencies", OWASP)
def what_is_not_public_asks_for_a_token(seen: Evidence) -> Iterator[str]:
    """What is not public is closed to somebody whom nobody knows"""
    for name, operation in seen.operations.items():
        if operation.get("security") and seen.answers[name].status != 401:
            yield f"{name} without a token: {seen.answers[name].status}"


@check("SEC-103", "401 or 404", "guard the route with Depends(Operators(...))", "OWASP API5:2023")
def operators_pages_are_closed(seen: Evidence) -> Iterator[str]:
    """No operators' page is open"""
    for name in INSIDE:
        if seen.answers[name].status not in (401, 404):
            yield f"{name}: {seen.answers[name].status} for the public"


@check("SEC-104", "only names and states", "show reasons to operators only", "OWASP API3:2023")
def health_keeps_its_reasons(seen: Evidence) -> Iterator[str]:
    """The public learns no reason from /health"""
    for word in ("output", "observedValue", "changes"):
        if f'"{word}"' in seen.answers["health"].body:
            yield f"/health shows {word} to the public"


@check("SEC-105", "WWW-Authenticate", "raise the problem with the header", "RFC 9110, 15.5.2")
def a_401_says_how_to_come_in(seen: Evidence) -> Iterator[str]:
    """A 401 says which kind of proof is asked for"""
    for name, answer in seen.answers.items():
        if answer.status == 401 and not answer.header("WWW-Authenticate"):
            yield f"{name}: 401 without the header"


@check("SEC-106", "403", "compare the token's scopes in the guard", "RFC 6750, 3.1")
def a_token_reaches_no_further_than_its_scopes(seen: Evidence) -> Iterator[str]:
    """A token reaches no further than its scopes"""
    yield from _let_in(seen, "no scope", 403)


@check("SEC-107", "401", "name the allowed algorithms when decoding", "RFC 8725, 3.1 and 3.2")
def an_unsigned_token_is_refused(seen: Evidence) -> Iterator[str]:
    """A token that nobody signed is refused"""
    yield from _let_in(seen, "unsigned", 401)


@check("SEC-108", "401", "take only keys of the issuer's JWKS", "RFC 8725, 3.8")
def a_strangers_token_is_refused(seen: Evidence) -> Iterator[str]:
    """A token that somebody else signed is refused"""
    yield from _let_in(seen, "stranger", 401)


@check("SEC-109", "401", "require exp and nbf to hold", "RFC 7519, 4.1.4 and 4.1.5")
def a_token_is_good_in_its_time_only(seen: Evidence) -> Iterator[str]:
    """A token is refused before and after its time"""
    yield from _let_in(seen, "expired", 401)
    yield from _let_in(seen, "too early", 401)


@check("SEC-110", "401", "compare aud and iss when decoding", "RFC 8725, 3.8 and 3.9")
def a_token_for_somebody_else_is_refused(seen: Evidence) -> Iterator[str]:
    """A token for another service, or of another issuer, is refused"""
    yield from _let_in(seen, "other audience", 401)
    yield from _let_in(seen, "other issuer", 401)


@check("SEC-111", "jwt", "APP_AUTH=jwt in config/common.env", "OWASP API2:2023")
def tokens_are_asked_for(seen: Evidence) -> Iterator[str]:
    """Tokens are asked for in staging and production"""
    for name, settings in seen.settings.items():
        if settings.auth == "off":
            yield f"{name}: APP_AUTH=off"


@check("SEC-112", "false", "APP_DOCS=false in config/common.env", "OWASP API9:2023")
def the_description_stays_at_home(seen: Evidence) -> Iterator[str]:
    """The API's description is not served to the public"""
    for name, settings in seen.settings.items():
        if settings.docs:
            yield f"{name}: APP_DOCS=true"


def _let_in(seen: Evidence, name: str, expected: int) -> Iterator[str]:
    if name in seen.answers and (status := seen.answers[name].status) != expected:
        yield f"a token that is bad ({name}): {status}"
