"""Group 3: what is a browser told, and whose requests are answered?"""

from collections.abc import Iterator

from vitals.ops.check.security.checklist import Checklist
from vitals.ops.check.security.evidence import Evidence

CHECKLIST = Checklist()
check = CHECKLIST.check

PAGES = ("page", "status page for operators")
LOOKED_AT = ("ok", "not found", "declared", "invalid", "defect", "foreign host", *PAGES)
ASVS, REST = "OWASP ASVS 3.4", "OWASP REST Security Cheat Sheet"
HOME = "add it in vitals/security/headers.py"
FORBIDDEN = ("Server", "X-Powered-By")
INLINE_SCRIPT = (
    "script-src 'unsafe-inline'",
    "'unsafe-eval'",
    "default-src 'self' 'unsafe-inline'",
)
ORIGIN = "Access-Control-Allow-Origin"


def _without(seen: Evidence, header: str, *parts: str) -> Iterator[str]:
    """The answers whose header does not hold all the parts."""
    for name in sorted(seen.answers.keys() & LOOKED_AT):
        value = seen.answers[name].header(header)
        if not value or not all(part in value for part in parts):
            yield f"{name}: {header}: {value or 'not there'}"


@check("SEC-301", "nosniff", HOME, ASVS)
def content_is_not_guessed(seen: Evidence) -> Iterator[str]:
    """A browser does not guess what kind of content it gets"""
    yield from _without(seen, "X-Content-Type-Options", "nosniff")


@check("SEC-302", "DENY", HOME, REST)
def no_page_frames_us(seen: Evidence) -> Iterator[str]:
    """No page shows ours in a frame"""
    yield from _without(seen, "X-Frame-Options", "DENY")


@check("SEC-303", "a policy that starts from 'none'", HOME, ASVS)
def every_answer_has_a_content_policy(seen: Evidence) -> Iterator[str]:
    """A browser loads nothing that was not named"""
    parts = ("default-src 'none'", "frame-ancestors 'none'")
    yield from _without(seen, "Content-Security-Policy", *parts)


@check("SEC-304", "scripts from files of our own", "move the script into a file", ASVS)
def no_page_allows_inline_scripts(seen: Evidence) -> Iterator[str]:
    """No page allows scripts that stand in it"""
    for name in PAGES:
        policy = seen.answers[name].header("Content-Security-Policy")
        if any(words in policy for words in INLINE_SCRIPT):
            yield f"{name}: {policy}"


@check("SEC-305", "no-referrer", HOME, REST)
def no_address_is_passed_on(seen: Evidence) -> Iterator[str]:
    """A browser tells nobody from which of our addresses it comes"""
    yield from _without(seen, "Referrer-Policy", "no-referrer")


@check("SEC-306", "camera=(), microphone=() and the like", HOME, REST)
def no_device_is_asked_for(seen: Evidence) -> Iterator[str]:
    """No page asks for camera, microphone or place"""
    yield from _without(seen, "Permissions-Policy", "camera=()", "microphone=()", "geolocation=()")


@check("SEC-307", "no-store", HOME, REST)
def nothing_is_kept_on_the_way(seen: Evidence) -> Iterator[str]:
    """No answer is kept on the way"""
    yield from _without(seen, "Cache-Control", "no-store")


@check("SEC-308", "at least a year", HOME, "RFC 6797")
def browsers_stay_with_https(seen: Evidence) -> Iterator[str]:
    """A browser that came by HTTPS never comes otherwise again"""
    for name in sorted(seen.answers.keys() & LOOKED_AT):
        value = seen.answers[name].header("Strict-Transport-Security")
        seconds = value.removeprefix("max-age=").partition(";")[0]
        if not seconds.isdigit() or int(seconds) < 365 * 24 * 3600:
            yield f"{name}: Strict-Transport-Security: {value or 'not there'}"


@check("SEC-309", "no such header", "switch it off in vitals/server/serve.py", "OWASP ASVS 13.4.6")
def nobody_learns_what_runs_here(seen: Evidence) -> Iterator[str]:
    """No header tells which software runs here"""
    for name, answer in seen.answers.items():
        for header in FORBIDDEN:
            if value := answer.header(header):
                yield f"{name}: {header}: {value}"


@check("SEC-310", "an id", "let vitals/observability/middleware.py send it", "OWASP ASVS 16.2.1")
def every_answer_can_be_found_in_the_log(seen: Evidence) -> Iterator[str]:
    """Every answer tells under which id the log knows it"""
    yield from _without(seen, "X-Request-ID")


@check("SEC-311", "our own names", "name them in APP_ALLOWED_HOSTS", "OWASP WSTG-INPV-17")
def hosts_are_named(seen: Evidence) -> Iterator[str]:
    """Staging and production answer for their own names only"""
    for environment, settings in seen.settings.items():
        if not settings.allowed_hosts:
            yield f"{environment}: APP_ALLOWED_HOSTS is empty"


@check("SEC-312", "400", "install vitals/security/hosts.py", "OWASP WSTG-INPV-17")
def a_foreign_host_is_refused(seen: Evidence) -> Iterator[str]:
    """A request for somebody else's host is refused"""
    if (status := seen.answers["foreign host"].status) != 400:
        yield f"a request for foreign.example: {status}"


@check("SEC-313", "no header", "name origins in APP_CORS_ORIGINS", "OWASP WSTG-CLNT-07")
def a_foreign_page_reads_nothing(seen: Evidence) -> Iterator[str]:
    """A page of somebody else reads no answer"""
    for name in ("foreign origin", "foreign preflight"):
        if value := seen.answers[name].header(ORIGIN):
            yield f"{name}: {ORIGIN}: {value}"


@check("SEC-314", "no credentials of the browser", "send a bearer token", "OWASP WSTG-CLNT-07")
def no_page_borrows_who_i_am(seen: Evidence) -> Iterator[str]:
    """No page sends what the browser knows of its user"""
    for name, answer in seen.answers.items():
        if answer.header("Access-Control-Allow-Credentials"):
            yield f"{name}: Access-Control-Allow-Credentials is there"


@check("SEC-315", "https:// origins", "take it out of APP_CORS_ORIGINS", "OWASP WSTG-CLNT-07")
def pages_that_read_came_by_https(seen: Evidence) -> Iterator[str]:
    """Pages that may read our answers came by HTTPS"""
    for environment, settings in seen.settings.items():
        for origin in settings.cors_origins:
            if not origin.startswith("https://"):
                yield f"{environment}: APP_CORS_ORIGINS holds {origin}"


@check("SEC-316", "the proxies' own networks", "narrow APP_TRUSTED_PROXIES", "OWASP ASVS 4.1.3")
def not_everybody_is_a_proxy(seen: Evidence) -> Iterator[str]:
    """Only our own proxies say who a client is"""
    for environment, settings in seen.settings.items():
        for network in settings.trusted_proxies:
            if int(network.partition("/")[2] or 128) < 8:
                yield f"{environment}: APP_TRUSTED_PROXIES holds {network}"
