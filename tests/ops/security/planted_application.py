"""Faults that a team could plant into files that are there: patches of a project, each with its
id and place. Whole routes with faults are in routes_with_faults.py.
"""

from tests.ops.security.planted import Fault

MAIN, ROUTES, MODELS = "app/main.py", "app/items/routes.py", "app/items/models.py"
SETTINGS, INSTALL = "app/settings.py", "    vitals.install(\n"
QUOTE = """def f():
    try:
        g()
    except ValueError as error:
        return {}
"""
LAST = "        required=REQUIRED_CHECKS,\n"


def setup(finds: dict[str, str], code: str) -> Fault:
    """Lines of create_app, before the engine is installed."""
    lines = "".join(f"    {line}\n" for line in code.strip().split("\n"))
    return Fault(finds, MAIN, INSTALL, f"{lines}{INSTALL}")


def argument(finds: dict[str, str], text: str) -> Fault:
    """A further argument of vitals.install."""
    return Fault(finds, MAIN, LAST, f"{LAST}        {text},\n")


def setting(finds: dict[str, str], field: str) -> list[Fault]:
    """A setting of the project's own, with its secret."""
    name = field.partition(":")[0]
    line = f"APP_{name.upper()}=secret://{name}\n"
    text = f'\n    {field}\n    """what it is for"""\n'
    return [
        Fault(finds, SETTINGS, "", text),
        Fault({}, "config/staging.env", "", line),
        Fault({}, "config/production.env", "", line),
    ]


SECRET = Fault({}, SETTINGS, "import vitals\n", "from pydantic import SecretStr\n\nimport vitals\n")
ITEMS = [
    Fault(
        {"SEC-103": "DELETE /items/{item_id}"},
        ROUTES,
        'delete("/{item_id}", status_code=204, dependencies=may_write)',
        'delete("/{item_id}", status_code=204, openapi_extra=PUBLIC)',
    ),
    Fault(
        {"SEC-104": "GET /items/{item_id}/attachment"},
        ROUTES,
        'attachment", dependencies=may_write, response_class',
        'attachment", dependencies=[Security(caller, scopes=["item:write"])], response_class',
    ),
    Fault(
        {"SEC-104": "PUT /items/{item_id} scope"},
        ROUTES,
        'put("/{item_id}", dependencies=may_write)',
        'put("/{item_id}", dependencies=[Security(caller, scopes=["items:read"])])',
    ),
    Fault(  # only a handler that was reached, and that has data, shows it
        {"SEC-207": "PUT /items/{item_id} body"},
        ROUTES,
        "        if (item := await store.replace(item_id, new)) is None:\n",
        '        logging.getLogger("x").info("%s", await store.get(item_id))\n'
        "        if (item := await store.replace(item_id, new)) is None:\n",
    ),
    Fault(
        {"SEC-207": "POST /items body"},
        ROUTES,
        "        item = await store.add(new)\n",
        '        item = await store.add(new)\n        logging.getLogger("x").info("%s", item)\n',
    ),
    Fault(  # only of a file that passes the first check of its type
        {"SEC-207": "PUT /items/{item_id}/attachment body"},
        ROUTES,
        "        if not content.startswith(",
        '        logging.getLogger("x").info("%r", content[:99])\n'
        "        if not content.startswith(",
    ),
    Fault(
        {"SEC-113": "app/items/routes.py from os import environ"},
        ROUTES,
        "from typing import",
        "import logging\nfrom os import environ\nfrom typing import",
    ),
    Fault(
        {"SEC-301": "POST /items Cache-Control"},
        ROUTES,
        '  response.headers["Location"]',
        '  response.headers["Cache-Control"] = "public"; response.headers["Location"]',
    ),
    Fault({"SEC-210": "app/quote.py"}, "app/quote.py", "", QUOTE.format("{'error': str(error)}")),
    Fault({"SEC-406": "GET /items limit"}, MODELS, "le=100,", "le=100_000,"),
    Fault({"SEC-406": "PUT /items/{item_id} body.name"}, MODELS, "max_length=200, ", ""),
    Fault({"SEC-406": "POST /items body.name"}, MODELS, "", ""),
    Fault(
        {"SEC-209": "GET /items/{item_id} answer.owner_secret"},
        MODELS,
        "    id: int\n",
        '    id: int\n    owner_secret: str = ""\n',
    ),
]
ALONE = {  # what changes all answers has a project of its own
    "a guard that is overridden": [
        setup(
            {
                "SEC-102": "POST /items without a token",
            },
            "app.dependency_overrides[vitals.caller] = lambda: None",
        )
    ],
    "a verifier that accepts all, and no security": [
        argument({"SEC-102": "POST /items unsigned"}, "verify=anyone"),
        argument({"SEC-301": "GET /items X-Frame-Options"}, "security=False"),
        argument({"SEC-415": "GET /no-such-path 404"}, "problems=False"),
        argument({"SEC-101": "GET /silent"}, "guard=False"),
        argument({"SEC-208": "GET /inner/{path} the description"}, 'public=["/inner", "/pages"]'),
        setup(
            {"SEC-208": "GET /pages/{path} pyproject.toml"},
            'app.frontend("/pages", directory=".")',
        ),
        setup(
            {},
            'app.mount("/inner", FastAPI())\n'
            'app.add_api_route("/silent", lambda: None)\n'
            "async def anyone(token: str) -> vitals.Caller:\n"
            '  return vitals.Caller("x", frozenset({"items:write"}))',
        ),
    ],
    "middleware and handlers of the team": [
        setup(
            {
                "SEC-207": "POST /items token",
                "SEC-301": "GET /items Access-Control-Allow-Origin",
                "SEC-504": "the log 'started",
            },
            "from fastapi.middleware.cors import CORSMiddleware\n"
            'app.add_middleware(CORSMiddleware, allow_origin_regex=".*", allow_credentials=True)\n'
            "import logging\n"
            'print("started by hand")\n'
            '@app.middleware("http")\n'
            "async def log_headers(request, call_next):\n"
            '  logging.getLogger("x").info("%s", request.headers)\n'
            "  return await call_next(request)",
        ),
        setup(
            {"SEC-208": "GET /defect/0 defect", "SEC-415": "GET /defect/0 500"},
            "from fastapi.responses import JSONResponse\n"
            "@app.exception_handler(Exception)\n"
            'async def echo(_, error):\n  return JSONResponse({"detail": repr(error)}, 500)',
        ),
        setup(
            {"SEC-208": "POST /items body", "SEC-415": "POST /items 422"},
            "from fastapi.exceptions import RequestValidationError\n"
            "@app.exception_handler(RequestValidationError)\n"
            "async def invalid(_, error):\n"
            '  return JSONResponse({"errors": repr(error.errors())}, 422)',
        ),
        argument(  # the one shape is this then, and the handlers above have others
            {}, "error_response=lambda status, content: JSONResponse(content, status)"
        ),
    ],
    "debug": [
        Fault({"SEC-208": "GET /defect/0 a traceback"}, MAIN, "FastAPI(\n", "FastAPI(debug=True,\n")
    ],
    "settings": [
        SECRET,
        *setting({"SEC-203": "APP_SMTP_PASSWORD"}, 'smtp_password: str = "placeholder"'),
        *setting({"SEC-203": "APP_SECRET_KEY"}, 'secret_key: str = "placeholder"'),
        *setting({"SEC-203": "APP_CHAT_TOKEN"}, 'chat_token: str = "placeholder"'),
        *setting(
            {"SEC-203": "APP_PAY_SECRET default"},
            'pay_secret: SecretStr = SecretStr("k3Yq8Zr2Lx7W")',  # pragma: allowlist secret
        ),
    ],
    "the example": ITEMS,
}
HARMLESS = [
    argument({}, "error_response=lambda status, _: JSONResponse([status], status)"),
    setup({}, "from fastapi.responses import JSONResponse"),
    Fault({}, "app/no_quote.py", "", QUOTE.format("{'error': 'it is away'}")),
    Fault({}, "app/its_type.py", "", QUOTE.format("{'error': type(error).__name__}")),
    SECRET,
    *setting({}, 'pay_secret: SecretStr = SecretStr("placeholder")'),
    Fault({}, SETTINGS, "", "\n    needs_token: bool = True\n"),
    Fault({}, "config/common.env", "", "APP_NEEDS_TOKEN=true\n"),
    setup(
        {},
        '@app.middleware("http")\nasync def count(request, call_next):\n'
        '  response = await call_next(request)\n  response.headers["X-Count"] = "1"\n'
        "  return response",
    ),
    Fault(
        {}, ROUTES, "        item = await store.add(new)\n", "        item = await store.add(new)\n"
    ),
]
