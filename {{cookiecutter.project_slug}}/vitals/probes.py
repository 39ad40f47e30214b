"""The paths of the engine that monitoring asks again and again."""

BY_ADDRESS = ("/livez", "/readyz", "/metrics")  # asked by address: no host name is required
PROBES = (*BY_ADDRESS, "/health")  # answered also above APP_MAX_CONNECTIONS
POLLED = (*PROBES, "/status", "/status.json")  # logged when they fail, never traced


def under(prefix: str, paths: tuple[str, ...]) -> frozenset[str]:
    """The paths where the engine's own routes have a prefix."""
    return frozenset(prefix + path for path in paths)
