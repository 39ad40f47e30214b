"""Where does it all come together? Start reading here."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

from fastapi import FastAPI

import app.health.routes
import app.items.routes
from app import errors
from app.health.checks import Checks
from app.resources import REQUIRED, Resources, build_resources
from app.settings import Settings


def create_app(settings: Settings) -> FastAPI:
    """Build the service. Nothing is opened and nothing listens until it is started."""
    resources = build_resources(settings)
    checks = Checks(resources.checks(), REQUIRED)
    service = FastAPI(
        title="{{ cookiecutter.project_name }}",
        description="{{ cookiecutter.description }}",
        version=settings.version,
        lifespan=lifespan(resources, checks),
        docs_url="/docs" if settings.docs else None,
        openapi_url="/openapi.json" if settings.docs else None,
        redoc_url=None,
    )
    errors.install(service)
    service.include_router(app.health.routes.router(checks))
    service.include_router(app.items.routes.router(resources.items))
    return service


def lifespan(
    resources: Resources, checks: Checks
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """Open the resources in order, then run the first checks; close in reverse."""

    @asynccontextmanager
    async def run(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for resource in resources.outside:
                await resource.open()
                stack.push_async_callback(resource.close)
            await checks.start()
            stack.push_async_callback(checks.stop)
            yield

    return run
