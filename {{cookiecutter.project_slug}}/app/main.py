"""The whole service on one screen. Start reading here."""

from fastapi import FastAPI

import vitals
from app.dependencies import REQUIRED_CHECKS, build_dependencies
from app.items import routes as items  # example
from app.settings import Settings


def create_app(settings: Settings) -> FastAPI:
    """Build the service. Nothing is opened and nothing listens until it is started."""
    dependencies = build_dependencies(settings)
    app = FastAPI(
        title="{{ cookiecutter.project_name }}",
        description="{{ cookiecutter.description }}",
        version=settings.version,
    )
    app.include_router(items.router(dependencies.items))  # example
    vitals.install(
        app,
        settings,
        name="{{ cookiecutter.project_slug }}",
        dependencies=dependencies.all,
        required=REQUIRED_CHECKS,
    )
    return app
