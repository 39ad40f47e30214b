"""`make compare` of a generated project: real differences are found, others are not."""

import pytest

from benchmarks import compare_series


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return compare_series.project(tmp_path_factory.mktemp("compared"))


@pytest.mark.slow
def test_equal_versions_do_not_differ(project):
    """One row may: 1 run of 20 is wrong in one row."""
    assert len(compare_series.compare(project, planted=False, seconds=30).named()) <= 1


@pytest.mark.slow
def test_a_fifth_more_cpu_of_a_route_is_found(project):
    run = compare_series.compare(project, planted=True, seconds=30)

    assert run.found(), [row["verdict"] for row in run.rows]
