"""The page made from the API's description; all of it comes from this service.

Swagger UI lies in the package ``fastapi-offline``. Nothing is inline, so the page's policy allows
scripts and styles of this host alone.
"""

from __future__ import annotations

from importlib import resources

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from service.api.problem import not_found

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
"""Content security policy of the page."""

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Jiexu API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="page"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""

_START = """const begin = (csrfToken) => SwaggerUIBundle({
  dom_id: "#page",
  url: "openapi.json",
  deepLinking: true,
  docExpansion: "list",
  validatorUrl: null,
  requestInterceptor: (request) => {
    if (csrfToken && !["GET", "HEAD"].includes(request.method)) {
      request.headers["X-CSRF-Token"] = csrfToken;
    }
    return request;
  },
});
fetch("session")
  .then((answer) => answer.ok ? answer.json() : {})
  .then((login) => begin(login.csrf_token))
  .catch(() => begin(undefined));
"""


def add_reference(app: FastAPI, path: str) -> None:
    """Add the page and what it loads.

    Args:
        app: The application.
        path: Where the page stands, beside ``openapi.json`` and ``session``.
    """
    shipped = resources.files("fastapi_offline") / "static"
    files = {
        "swagger-ui-bundle.js": (
            (shipped / "swagger-ui-bundle.js").read_bytes(),
            "text/javascript",
        ),
        "swagger-ui.css": ((shipped / "swagger-ui.css").read_bytes(), "text/css"),
        "start.js": (_START.encode(), "text/javascript"),
    }

    async def page(_request: Request) -> Response:
        return HTMLResponse(_PAGE)

    async def file(request: Request) -> Response:
        found = files.get(request.path_params["name"])
        if found is None:
            raise not_found("file")
        return Response(found[0], media_type=found[1])

    app.add_route(path, page, include_in_schema=False)
    app.add_route(f"{path}/{{name}}", file, include_in_schema=False)
