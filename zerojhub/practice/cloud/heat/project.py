"""Routes below a project, which must be the token's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zerojhub.practice.cloud.heat.errors import refusal
from zerojhub.practice.cloud.wire import Call, Handler, Routes


class ProjectRoutes(Routes):
    """`@routes("GET", "/stacks")` serves the path below `/v1/{project}`."""

    def __call__(
        self, methods: str, path: str, *, status: int = 200, public: bool = False
    ) -> Callable[[Handler], Handler]:
        add = super().__call__(methods, "/v1/{project}" + path, status=status, public=public)

        def check_project(handler: Handler) -> Handler:
            async def handle(call: Call) -> Any:
                if call.path_params["project"] != call.project:
                    raise refusal("HTTPForbidden", "Access was denied to this resource.", 403)
                return await handler(call)

            add(handle)
            return handler

        return check_project
