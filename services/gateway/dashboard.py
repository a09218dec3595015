"""Serves the built dashboard: files as they are, any other address as the page itself."""

from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

# Vite names files in assets/ by their content, so they never change.
_FOREVER = "public, max-age=31536000, immutable"
_NOT_BUILT = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Pretraining Lab</title></head>
<body>
<h1>Pretraining Lab</h1>
<p>The gateway runs, but the dashboard is not built yet. Run <code>make up</code>, or
<code>cd frontend &amp;&amp; npm ci &amp;&amp; npm run build</code>, and reload.</p>
<p>The API is described at <a href="/docs">/docs</a>.</p>
</body>
</html>
"""


class Dashboard(StaticFiles):
    """Everything that is not the API."""

    def __init__(self, folder: Path) -> None:
        super().__init__(directory=folder, check_dir=False)
        self._folder = folder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":  # an address that is no socket
            await send({"type": "websocket.close", "code": 1000, "reason": ""})
        else:
            await super().__call__(scope, receive, send)

    async def check_config(self) -> None:
        """The folder may be missing, and may be built while the gateway runs."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        if scope["path"] == "/api" or scope["path"].startswith("/api/"):
            raise HTTPException(404)
        try:
            response = await super().get_response(path, scope)
        except HTTPException as error:
            if error.status_code != 404 or "." in scope["path"].rpartition("/")[2]:
                raise
            return self._page()
        response.headers["Cache-Control"] = _FOREVER if path.startswith("assets/") else "no-cache"
        return response

    def _page(self) -> Response:
        """The one page; which view it shows is decided in the browser."""
        page = self._folder / "index.html"
        if not page.is_file():
            return HTMLResponse(_NOT_BUILT, headers={"Cache-Control": "no-store"})
        return FileResponse(page, headers={"Cache-Control": "no-cache"})
