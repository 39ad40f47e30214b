"""The settings of this service: those of the engine, and your own.

A setting is an environment variable: APP_ and the field's name in capitals. Add a field with a
default and a docstring that says what it is for, then a line in config/*.env.
"""

import vitals


class Settings(
    # jinja: if cookiecutter.database
    vitals.DatabaseSettings,
    # jinja: endif
    # jinja: if cookiecutter.cache
    vitals.CacheSettings,
    # jinja: endif
    vitals.Settings,
):
    """Everything that can be set from outside, such as what differs between environments."""
