"""How does this process start to serve, and how does it stop?"""

import uvicorn
from fastapi import FastAPI

from app.settings import Settings


def serve(service: FastAPI, settings: Settings) -> int:
    """Serve until a signal tells to stop; returns the exit status."""
    config = uvicorn.Config(
        service, host=settings.host, port=settings.port, server_header=False, access_log=False
    )
    uvicorn.Server(config).run()
    return 0
