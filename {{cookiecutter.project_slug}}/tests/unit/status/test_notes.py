"""Do the notes keep the last failures and repeated statements, and no more than that?"""

from app.status.notes import ERRORS_KEPT, STATEMENTS_KEPT, Notes


def test_the_newest_failure_is_first_and_old_ones_go() -> None:
    notes = Notes()
    for number in range(ERRORS_KEPT + 5):
        notes.failed("GET", "/items", 500, "ValueError", f"request-{number}")

    failures = notes.failures()

    assert failures[0].request_id == f"request-{ERRORS_KEPT + 4}"
    assert len(failures) == ERRORS_KEPT


def test_a_failing_probe_is_no_failed_request() -> None:
    notes = Notes()

    notes.failed("GET", "/readyz", 503, "", "request-1")

    assert notes.failures() == []


def test_a_statement_keeps_the_time_when_it_was_first_repeated() -> None:
    notes = Notes()
    notes.repeated("/a", "SELECT 1", 10, "first")
    since = notes.repeats()[0].since

    notes.repeated("/a", "SELECT 1", 12, "second")

    (kept,) = notes.repeats()
    assert (kept.since, kept.times, kept.request_id) == (since, 12, "second")


def test_the_statements_that_were_repeated_long_ago_go_first() -> None:
    notes = Notes()
    for number in range(STATEMENTS_KEPT + 1):
        notes.repeated("/a", f"SELECT {number}" + "x" * 10_000, 10, "id")

    kept = notes.repeats()

    assert len(kept) == STATEMENTS_KEPT
    assert not any(each.statement.startswith("SELECT 0x") for each in kept)
    assert max(len(each.statement) for each in kept) == 300
