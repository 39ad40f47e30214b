"""Group 5: does the log tell what it must, and nothing more?"""

import json
import re
from collections.abc import Iterator

from vitals.ops.check.security.checklist import Checklist
from vitals.ops.check.security.evidence import Evidence

CHECKLIST = Checklist()
check = CHECKLIST.check

NEVER, FORGED = "OWASP ASVS 16.2.5", "OWASP ASVS 16.4.1"
HOME = "look in vitals/observability"
GOOD_ID = re.compile(r"[A-Za-z0-9._-]{8,64}").fullmatch
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def _holds(seen: Evidence, *places: str) -> Iterator[str]:
    for place in places:
        if seen.canaries[place] in seen.log:
            yield f"the log holds the canary of: {place}"


def _lines(seen: Evidence) -> list[str]:
    return [line for line in seen.log.split("\n") if line]


@check("SEC-501", "no such text", HOME, NEVER)
def no_query_is_logged(seen: Evidence) -> Iterator[str]:
    """No query string is in the log"""
    yield from _holds(seen, "query")


@check("SEC-502", "no such text", HOME, NEVER)
def no_header_is_logged(seen: Evidence) -> Iterator[str]:
    """No value of a header is in the log"""
    yield from _holds(seen, "header")


@check("SEC-503", "no such text", HOME, NEVER)
def no_body_is_logged(seen: Evidence) -> Iterator[str]:
    """No body and no upload is in the log"""
    yield from _holds(seen, "body", "upload")


@check("SEC-504", "JSON in each line", "log with the standard logging, and do not print", FORGED)
def every_line_can_be_read(seen: Evidence) -> Iterator[str]:
    """Every line of the log is JSON"""
    for number, line in enumerate(_lines(seen), 1):
        try:
            json.loads(line)
        except ValueError:
            yield f"line {number} of the log is {line[:40]!r}"
            return


@check("SEC-505", "no such line", "write the route, never the path", FORGED)
def no_line_is_forged(seen: Evidence) -> Iterator[str]:
    """No request writes a line of its own into the log"""
    if "FORGED" in seen.log:
        yield "a path with a line break is in the log as it came"


@check("SEC-506", "escaped characters", "write lines with json.dumps", FORGED)
def no_control_character_reaches_a_terminal(seen: Evidence) -> Iterator[str]:
    """No control character reaches the terminal of who reads the log"""
    if found := CONTROL.search(seen.log):
        yield f"the log holds {found.group()!r}"


@check("SEC-507", "a new id", "take only ids of the known form", FORGED)
def a_bad_request_id_is_replaced(seen: Evidence) -> Iterator[str]:
    """A request id that is none is replaced"""
    if not GOOD_ID(given := seen.answers["forged line"].header("X-Request-ID")):
        yield f"X-Request-ID: {given!r}"


@check("SEC-508", "one line with its id", HOME, "OWASP ASVS 16.3.1")
def refusals_are_logged(seen: Evidence) -> Iterator[str]:
    """Every refusal of a token is in the log, once"""
    for name in sorted(seen.answers.keys() & {"no token", "no scope", "unsigned", "operators"}):
        request_id = seen.answers[name].header("X-Request-ID")
        found = [line for line in _lines(seen) if request_id and request_id in line]
        if len(found) != 1:
            yield f"{name}: {len(found)} lines"


@check("SEC-509", "one traceback with its id", HOME, "OWASP ASVS 16.5.4")
def a_defect_is_logged_once(seen: Evidence) -> Iterator[str]:
    """A defect is in the log with its traceback, once"""
    request_id = seen.answers["defect"].header("X-Request-ID")
    found = [line for line in _lines(seen) if request_id in line and '"exception"' in line]
    if len(found) != 1:
        yield f"{len(found)} tracebacks of one defect"


@check("SEC-510", "json, and info or above", "set it in config/common.env", "OWASP ASVS 13.4.2")
def the_log_is_for_machines(seen: Evidence) -> Iterator[str]:
    """Staging and production log JSON, and not what is for debugging"""
    for environment, settings in seen.settings.items():
        if settings.log_format != "json":
            yield f"{environment}: APP_LOG_FORMAT={settings.log_format}"
        if settings.log_level == "debug":
            yield f"{environment}: APP_LOG_LEVEL=debug"
