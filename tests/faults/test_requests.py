"""Requests at the edge of what HTTP and JSON allow, on a real socket beside honest clients."""

import itertools
import json
import re
import socket
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests import baking
from tests.faults.client import Client, raw
from tests.faults.service import Project, Service
from tests.faults.table import Row
from tests.faults.test_clients import probed

Start = Callable[..., Service]
Begin = Callable[..., Row]
SIZES = {"256 KiB": 262_144, "1 MiB": 1_048_576}
# The beginning of a body, what is repeated until it is full, and its end.
BODIES: dict[str, tuple[str, str, str]] = {
    "unknown fields": ("{", '"%x":0,', '"z":0}'),
    "wrong members of a list": ('{"numbers":[', '"",', '""]}'),
    "wrong members of an object": ('{"named":{', '"%x":"",', '"z":""}}'),
    "models without their fields": ('{"orders":[', "{},", "{}]}"),
    "lists in lists": ('{"grid":[', "[],", "[]]}"),
    "deep nesting": ("", '{"a":', ""),
    "a long text": ('{"name":"', "\\u0001", '"}'),
    "a long number": ('{"numbers":[', "7", "]}"),
}


def filled(kind: str, size: int) -> bytes:
    begin, unit, end = BODIES[kind]
    parts, length = [begin], len(begin) + len(end)
    for number in itertools.count():
        part = unit % number if "%" in unit else unit
        length += len(part)
        if length > size:
            return "".join([*parts, end]).encode()
        parts.append(part)
    raise AssertionError


def post(path: str, body: bytes, *headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: test", "Connection: close", *headers]
    lines += ["Content-Type: application/json", f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def cpu_ms(service: Service, data: bytes, times: int = 10) -> tuple[bytes, float]:
    """The status of a request, and the CPU time for one: the event loop is held for less."""
    statuses = {raw(service.port, data)[9:12]}  # the first also warms up
    before = service.cpu_seconds()
    statuses |= {raw(service.port, data)[9:12] for _ in range(times)}
    ms = (service.cpu_seconds() - before) * 1000 / times
    (status,) = statuses
    return status, ms


@pytest.mark.parametrize("size", SIZES)
def test_e9_no_body_of_a_model_holds_the_event_loop(start: Start, row: Begin, size: str) -> None:
    e9 = row("E9", f"{size} of wrong JSON for a `Model`, {len(BODIES)} kinds", "1.1 s for 0.9 MB")
    service = start(slow_routes=True, max_body_bytes=SIZES[size])

    found = {k: cpu_ms(service, post("/model", filled(k, SIZES[size]))) for k in BODIES}

    worst = max(found, key=lambda kind: found[kind][1])
    print({kind: round(ms, 1) for kind, (_, ms) in found.items()})
    e9.exactly("statuses", sorted({int(status) for status, _ in found.values()}), [400, 422])
    e9.at_most(f"CPU of the worst ({worst})", found[worst][1], 50)


def test_e9_the_worst_body_of_a_plain_model_is_measured(start: Start, row: Begin) -> None:
    e9 = row("E9", "256 KiB of wrong JSON for a list of plain Pydantic, the worst kind")
    service = start(slow_routes=True)

    worst = filled("models without their fields", 262_144)
    status, ms = cpu_ms(service, post("/plain", worst), 3)

    e9.exactly("status", status, b"422")
    e9.at_most("CPU", ms, 1_500)


def test_e9_thousands_of_query_fields_are_refused_before_they_are_read(
    start: Start, row: Begin
) -> None:
    e9 = row("E9", "4,000 unknown query fields, 500 times", "82 ms each")
    service = start()
    query = "&".join(f"x{number:x}" for number in range(4_000))

    with probed(service) as probes, Client(service.port) as client:
        answers = [client.ask(f"/items?{query}") for _ in range(500)]
    again = service.ask("/items?" + "&".join(["limit=1"] * 200))

    e9.exactly("status", {answer.status for answer in answers}, {400})
    e9.exactly("200 fields", again.status, 200)
    e9.at_most("500 answers", sum(answer.ms for answer in answers), 1_500)
    e9.at_most("slowest probe", probes.slowest_ms(), 50)


ITEM = json.dumps({"name": "tea", "price": 1})
HEADERS = {
    "Content-Type: text/plain": b"400",
    "Content-Type: application/json": b"400",
    "Content-Encoding: gzip": b"415",
    "Content-Encoding: identity\r\nContent-Encoding: gzip": b"400",
}


def test_e11_content_that_two_readers_could_read_differently_is_refused(
    start: Start, row: Begin
) -> None:
    e11 = row("E11", "JSON in UTF-16 or UTF-32, C1 controls, two Content-Types, a part")
    service = start()
    encoded = [
        raw(service.port, post("/items", ITEM.encode(coding)))[9:12]
        for coding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be")
    ]
    named = [
        raw(service.port, post("/items", ITEM.replace("tea", f"t{control}a").encode()))[9:12]
        for control in ("\u0080", "\u009f", "\u0085", "\u2028", "\u2029")
    ]
    headed = {
        sent: raw(service.port, post("/items", ITEM.encode(), sent))[9:12] for sent in HEADERS
    }
    part = post("/items/1", ITEM.encode(), "Content-Range: bytes 0-9/20").replace(b"POST", b"PUT")

    e11.exactly("another encoding", set(encoded), {b"415"})
    e11.exactly("controls in a name", set(named), {b"422"})
    e11.exactly(
        "second headers taken", [s for s, status in headed.items() if status != HEADERS[s]], []
    )
    e11.exactly("PUT of a part", raw(service.port, part)[9:12], b"400")
    e11.exactly("an honest POST", raw(service.port, post("/items", ITEM.encode()))[9:12], b"201")


def head(target: str, *headers: str) -> bytes:
    lines = [f"GET {target} HTTP/1.1", *headers, "Connection: close", "", ""]
    return "\r\n".join(lines).encode("latin-1")


HOSTS = {
    "evil.org/.example.com": b"400",
    "evil.org#.example.com": b"400",
    "production.internal:x": b"400",
    "a.example.com:70000": b"400",
    "evil.org": b"400",
    "api.example.com.": b"307",
    "API.example.com:8443": b"307",
}
TARGETS = [
    ("evil.org", "api.example.com", b"400"),
    ("api.example.com@evil.org", "api.example.com", b"400"),
    ("b.example.com", "evil.org", b"307"),
]
TWO = ("Host: a.example.com", "Host: a.example.com")
REDIRECTS = [
    "http://API.example.com:8443/items",
    "http://api.example.com./items",
    "http://b.example.com/items",
    "https://a.example.com/items",
]


def test_e12_only_a_valid_and_allowed_host_is_answered_and_in_a_redirect(
    start: Start, row: Begin
) -> None:
    e12 = row("E12", "invalid, foreign, two, no hosts; absolute targets; TLS at a proxy")
    service = start(
        allowed_hosts="production.internal,*.example.com", trusted_proxies="127.0.0.1/32"
    )
    heads = {head("/items/", f"Host: {host}"): status for host, status in HOSTS.items()}
    heads |= {head(f"http://{target}/items/", f"Host: {host}"): s for target, host, s in TARGETS}
    heads |= {head("/items", *hosts): b"400" for hosts in ((), TWO, ("Host:",))}
    heads[head("/items/", "Host: a.example.com", "X-Forwarded-Proto: https")] = b"307"

    answers = {sent: raw(service.port, sent) for sent in heads}

    wrong = [sent for sent, answer in answers.items() if answer[9:12] != heads[sent]]
    e12.exactly(f"wrong answers of {len(heads)}", wrong, [])
    found = (re.search(rb"\r\nlocation: (\S+)", answer) for answer in answers.values())
    redirects = {match[1].decode() for match in found if match}
    e12.exactly("redirects", sorted(redirects), REDIRECTS)


PAGE = "Origin: https://shop.example.com"
PREFLIGHT = [PAGE, "Access-Control-Request-Method: PUT"]


def test_e14_a_page_can_read_every_refusal(start: Start, row: Begin) -> None:
    e14 = row(
        "E14",
        "a page of an allowed origin meets errors",
    )
    service = start(
        slow_routes=True,
        allowed_hosts="test",
        cors_origins="https://shop.example.com",
        max_body_bytes=1_024,
        max_connections=10,
        request_seconds=2,
    )
    big = post("/model", b"x" * 2_000, PAGE)
    requests = {
        b"400": head("/items", "Host: evil.org", PAGE),
        b"401": head("/metrics", "Host: test", PAGE),
        b"404": head("/nowhere", "Host: test", PAGE),
        b"413": big,
        b"415": post("/model", "{}".encode("utf-16"), PAGE),
        b"422": post("/model", b"[]", PAGE),
        b"500": head("/defect", "Host: test", PAGE),
        b"503": head("/slow?seconds=5", "Host: test", PAGE),
    }
    answers = {status: raw(service.port, sent).lower() for status, sent in requests.items()}
    foreign = head("/items", "Host: evil.org", *PREFLIGHT).replace(b"GET", b"OPTIONS")
    plain = raw(service.port, head("/livez", "Host: test")).lower()
    slow = head("/slow?seconds=60", "Host: test")
    with ExitStack() as stack:
        for _ in range(10):
            connection = socket.create_connection(("127.0.0.1", service.port), 20)
            stack.enter_context(connection).sendall(slow)
        baking.wait_until(lambda: service.metric("http_server_active_requests") >= 10, 20)
        full = raw(service.port, head("/nowhere", "Host: test", PAGE)).lower()
        preflight_when_full = raw(service.port, foreign)

    e14.exactly("read", sorted(int(a[9:12]) for a in answers.values()), [*map(int, requests)])
    allowed = b"access-control-allow-origin: https://shop.example.com"
    e14.exactly("without CORS", [s for s, a in answers.items() if allowed not in a], [])
    e14.exactly("preflight of another host", raw(service.port, foreign)[9:12], b"204")
    e14.exactly("Vary without Origin", b"vary: origin" in plain, True)
    e14.exactly("full", (full[9:12], allowed in full, b"retry-after" in full), (b"503", True, True))
    e14.exactly("preflight when full", preflight_when_full[9:12], b"204")


def test_e13_and_e17_a_start_with_unclear_settings_is_refused(
    project: Project, row: Begin, tmp_path: Path
) -> None:
    wrong = {
        "E13": ("APP_ALLOWED_HOSTS with a port", {"allowed_hosts": "api.example.com:8443"}),
        "E17": ("no APP_ENVIRONMENT", {"environment": ""}),
    }
    for number, (fault, settings) in wrong.items():
        each, log = row(number, fault), tmp_path / number
        service = Service(project, log, **settings)

        each.exactly("exit status", service.process.wait(40), 2)
        named = f"APP_{next(iter(settings)).upper()}: found "
        each.exactly("the first line names it", log.read_text().startswith(named), True)


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_e16_a_wrong_log_call_costs_no_request(start: Start, row: Begin, log_format: str) -> None:
    e16 = row("E16", f"5 wrong log calls in a request, {log_format}", "500")
    service = start(slow_routes=True, log_format=log_format)

    statuses = {service.ask("/log").status for _ in range(20)}

    readable = 2 if log_format == "text" else 0  # a tuple and a cycle have a text
    e16.exactly("answers", statuses, {200})
    e16.exactly("counted", service.metric("log_errors_total"), 20 * (5 - readable))
    baking.wait_until(lambda: service.log.read_text().count("1b[2J") == 20, 20)
    text = service.log.read_text()
    e16.exactly("raw control characters", "\x1b" in text, False)
    e16.exactly("forged fields", "forged" in text, False)


def test_e19_who_guesses_the_operators_token_is_named_counted_and_refused(
    start: Start, row: Begin
) -> None:
    e19 = row("E19", "1,000 wrong operators' tokens from one address", "2,706/s, nothing counted")
    service = start(log_format="json")
    with Client(service.port) as client:
        answers = [client.ask("/metrics", token=f"guess-{number}") for number in range(1_000)]
    refused = service.ask("/status")
    text = service.log.read_text()
    lines = [json.loads(line) for line in text.splitlines() if '"status":429' in line]

    statuses = [answer.status for answer in answers]
    e19.exactly("401", statuses.count(401), 10)
    e19.exactly("then 429", set(statuses[10:]), {429})
    e19.exactly("without a token", refused.status, 401)
    e19.exactly("counted", service.metric("operator_login_failures_total"), 1_000)  # a right one
    e19.exactly("from", {line["client"] for line in lines}, {"127.0.0.1"})
