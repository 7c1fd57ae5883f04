"""Glance's error responses."""

from __future__ import annotations

import html

from starlette.responses import HTMLResponse

from zerojhub.practice.cloud.refusal import Refusal

TITLES = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 409: "Conflict"}


def to_response(refusal: Refusal) -> HTMLResponse:
    # Glance's errors are HTML pages of its web library (WebOb), and clients parse them.
    title = f"{refusal.status} {TITLES.get(refusal.status, 'Internal Server Error')}"
    body = f"<h1>{title}</h1>\n  {html.escape(refusal.message)}<br /><br />"
    page = f"<html>\n <head>\n  <title>{title}</title>\n </head>\n <body>\n  {body}\n\n\n </body>\n</html>"
    return HTMLResponse(page, refusal.status)
