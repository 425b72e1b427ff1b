"""Who a web customer is: an unguessable identity in a signed token that rotates; the client never chooses it."""

from __future__ import annotations

import secrets

from itsdangerous import BadSignature, SignatureExpired, URLSafeTimedSerializer

LASTS = 30 * 24 * 3600
ROTATES = 24 * 3600


class NoIdentity(Exception):
    """The token is missing, forged or older than 30 days: ask for a new one."""


class Identities:
    """Makes and reads tokens."""

    def __init__(self, secret_key: str) -> None:
        """`secret_key` signs; changing it makes every customer a new one."""
        self._signer = URLSafeTimedSerializer(secret_key, salt="webchat")

    def new(self) -> str:
        """A token for a new identity."""
        return self._signer.dumps(secrets.token_urlsafe(18))

    def sender(self, token: str) -> str:
        """The identity of a token; raises `NoIdentity`."""
        try:
            sender = self._signer.loads(token, max_age=LASTS)
        except (BadSignature, SignatureExpired) as error:
            raise NoIdentity(str(error)) from error
        return str(sender)

    def rotated(self, token: str) -> str:
        """The same identity, freshly signed if the token is older than a day; raises `NoIdentity`."""
        sender = self.sender(token)
        try:
            self._signer.loads(token, max_age=ROTATES)
        except SignatureExpired:
            return self._signer.dumps(sender)
        return token
