"""The paths of the engine that monitoring asks again and again."""

BY_ADDRESS = ("/livez", "/readyz", "/metrics")  # asked by address: no host name is required
PROBES = (*BY_ADDRESS, "/health")  # answered also above APP_MAX_CONNECTIONS
POLLED = (*PROBES, "/status", "/status.json")  # logged when they fail, never traced
