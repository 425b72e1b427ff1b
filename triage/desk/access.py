"""Who may do what at the desk, and that it is written down: tokens, cookies, roles, CSRF, audit."""

import hmac
import json
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Cookie, Depends, Header, HTTPException, Request, Response
from fastapi.routing import APIRoute

from triage.audit import Audit
from triage.desk.auth import NotAllowed, Role, User, Users

COOKIE = "desk"
SAFE = ("GET", "HEAD", "OPTIONS")
SECRET = ("password", "token")
LONGEST_DETAIL = 200

WORKERS = (Role.AGENT, Role.SUPERVISOR, Role.ADMIN)
SUPERVISORS = (Role.SUPERVISOR, Role.ADMIN)
TRAINERS = (Role.TRAINER, Role.ADMIN)


class Access:
    """Turns a request into its user.

    A bearer token needs nothing else. A cookie is sent by the browser on its own, so a write that comes with one must
    also carry `X-CSRF-Token`, which `/api/me` tells.
    """

    def __init__(self, users: Users) -> None:
        """`users` reads the tokens."""
        self._users = users

    async def user(
        self,
        request: Request,
        authorization: Annotated[str | None, Header()] = None,
        x_csrf_token: Annotated[str | None, Header()] = None,
        desk: Annotated[str | None, Cookie()] = None,
    ) -> User:
        """Who asks; 401 without a valid token or cookie, 403 for a cookie's write without its CSRF token."""
        token = authorization.removeprefix("Bearer ") if authorization is not None else desk
        try:
            user = await self._users.user(token or "")
        except NotAllowed as error:
            raise HTTPException(401, str(error), {"WWW-Authenticate": "Bearer"}) from error
        if authorization is None and request.method not in SAFE:
            expected = self._users.csrf(user.login)
            if not hmac.compare_digest((x_csrf_token or "").encode(), expected.encode()):
                raise HTTPException(403, "页面已过期，请刷新后再试")
        request.state.user = user
        return user

    def only(self, *roles: Role) -> Callable[..., Awaitable[User]]:
        """A dependency: the user, who must have one of the roles; 403 otherwise."""

        async def allowed(user: Annotated[User, Depends(self.user)]) -> User:
            if user.role not in roles:
                raise HTTPException(403, "您没有这项权限")
            return user

        return allowed


def audited(audit: Audit) -> type[APIRoute]:
    """A route class whose writes leave an audit row once they succeeded, before the answer goes out."""

    class Audited(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
            handle = super().get_route_handler()

            async def handled(request: Request) -> Response:
                response: Response = await handle(request)
                user: User | None = getattr(request.state, "user", None)
                if user is not None and request.method not in SAFE and not request.state.__dict__.get("unaudited"):
                    await audit.add(user.username, self.name, request.url.path, await _detail(request))
                return response

            return handled

    return Audited


async def _detail(request: Request) -> dict[str, Any]:
    """The body's fields, without secrets and cut short: the tickets' own history holds the rest."""
    try:
        body = json.loads(await request.body() or b"{}")
    except ValueError:
        return {}
    if not isinstance(body, dict):
        return {}
    return {key: str(value)[:LONGEST_DETAIL] for key, value in body.items() if key not in SECRET and value is not None}
