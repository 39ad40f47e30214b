"""Real metrics that a test fills by hand, and the history that reads them."""

from collections.abc import Iterable, Mapping

from vitals.health.checks import Checks
from vitals.observability.metric_types import CALL_BUCKETS, DURATION_BUCKETS
from vitals.observability.metrics import Metrics
from vitals.observability.recent_errors import RecentErrors
from vitals.service import Service
from vitals.status.history import History


class Counted:
    """Metrics, and the history that reads them."""

    def __init__(
        self,
        prefix: str = "",
        gauges: Mapping[str, float] | None = None,
        checks: Checks | None = None,
    ) -> None:
        values = {"event_loop_lag_seconds": 0.25, **(gauges or {})}
        self.metrics = Metrics({}, list, [lambda: values])
        self.recent_errors = RecentErrors()
        checks = checks or Checks([], [])
        self.service = Service(None, self.metrics, checks, self.recent_errors)
        self.history = History(self.service, prefix)

    def request(self, route: str, seconds: float = 0.02, status: int = 200, calls: int = 0) -> None:
        labels = {"http_request_method": "GET", "http_route": route}
        labels |= {"http_response_status_code": str(status)}
        name = "http_server_request_duration_seconds"
        self.metrics.histogram(name, DURATION_BUCKETS, labels).observe(seconds)
        by_route = {"http_route": route}
        self.metrics.histogram("http_server_request_db_calls", CALL_BUCKETS, by_route).observe(
            calls
        )

    def statements(self, route: str, each_seconds: Iterable[float]) -> None:
        name = "db_client_operation_duration_seconds"
        histogram = self.metrics.histogram(name, DURATION_BUCKETS, {"http_route": route})
        for seconds in each_seconds:
            histogram.observe(seconds)

    def cache(self, route: str, result: str) -> None:
        self.metrics.count("cache_requests_total", {"http_route": route, "result": result})
