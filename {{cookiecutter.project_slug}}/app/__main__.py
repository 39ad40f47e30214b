"""The start command in every environment: python -m app."""

import sys

import vitals
from app.main import create_app
from app.settings import Settings

if __name__ == "__main__":
    sys.exit(vitals.main(create_app, Settings))
