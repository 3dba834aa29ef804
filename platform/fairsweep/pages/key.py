"""Who may look at a page that a command serves: who has its key, once in an address and then in a cookie."""

import os
import secrets
from contextlib import suppress
from hmac import compare_digest
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from fairsweep import shipped

PARAMETER = "access_token"
_COOKIE = "fairsweep-key"
_YEAR = 365 * 86_400
_REFUSED = "This page is for who started it: open the address that the command printed.\n"


def of_this_user() -> str:
    """Return the key of this user on this machine, made once, so that a link of yesterday opens today."""
    path = shipped.cache() / "explorer-key"
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError), open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(24))
        if key := path.read_text(encoding="ascii").strip():
            return key
    return secrets.token_urlsafe(24)


class Guard:
    """Answer those who have the key, and nobody else."""

    def __init__(self, app: ASGIApp, key: str):
        self.app, self.key = app, key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it; a key in the address becomes a cookie and leaves the address."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        answer: ASGIApp | Response = PlainTextResponse(_REFUSED, 403)
        if self._fits(request.query_params.get(PARAMETER)):
            rest = [(name, text) for name, text in request.query_params.multi_items() if name != PARAMETER]
            answer = RedirectResponse("?".join(filter(None, [request.url.path, urlencode(rest)])), 303)
            answer.set_cookie(_COOKIE, self.key, max_age=_YEAR, httponly=True, samesite="lax")
        elif self._fits(request.cookies.get(_COOKIE)):
            answer = self.app
        await answer(scope, receive, send)

    def _fits(self, given: str | None) -> bool:
        return given is not None and compare_digest(given.encode(), self.key.encode())
