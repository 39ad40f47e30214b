"""The application: its features, and the call that adds the engine. Start reading here."""

from fastapi import FastAPI

import vitals
from app.dependencies import REQUIRED_CHECKS, build_dependencies
from app.items import routes as items  # `make remove-example` deletes this line  # example
from app.settings import Settings


def create_app(settings: Settings) -> FastAPI:
    """Build the application. It connects to nothing before it is started."""
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
