"""An OpenID provider as a process of its own: it asks for a name and says what that person may do.

``python oidc_provider.py PORT`` serves it at ``http://127.0.0.1:PORT`` until it is stopped.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import sys
import time
from dataclasses import dataclass, field
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

ROLES = {"li.na": ["city-reviewer"], "wang.wei": []}
"""What people of the organisation may do here, by name."""


@dataclass
class Logins:
    """Logins that were begun, by their code."""

    issuer: str
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "a"}))
    begun: dict[str, dict[str, str]] = field(default_factory=dict)

    def redeem(self, form: dict[str, str]) -> dict[str, Any] | None:
        """A signed ID token for a code, once, to whoever began its login."""
        login = self.begun.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if login is None or login["code_challenge"] != challenge:
            return None
        now, name = int(time.time()), login["name"]
        claims = {"iss": self.issuer, "aud": login["client_id"], "iat": now, "exp": now + 300}
        claims |= {"sub": f"id of {name}", "preferred_username": name, "roles": ROLES[name]}
        claims |= {"nonce": login["nonce"]}
        token = jwt.encode({"alg": "RS256", "kid": "a"}, claims, self.key)
        return {"access_token": "x", "token_type": "Bearer", "id_token": token}


def handler(logins: Logins) -> type[BaseHTTPRequestHandler]:
    """Answers requests about logins."""

    class Provider(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            place = urlsplit(self.path)
            asked = {name: values[0] for name, values in parse_qs(place.query).items()}
            if place.path == "/.well-known/openid-configuration":
                names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
                paths = ("authorize", "token", "keys")
                places = {n: f"{logins.issuer}/{p}" for n, p in zip(names, paths, strict=True)}
                self._send({"issuer": logins.issuer, **places})
            elif place.path == "/keys":
                self._send({"keys": [logins.key.as_dict(private=False)]})
            elif place.path == "/authorize" and "name" not in asked:
                hidden = "".join(
                    f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
                    for name, value in asked.items()
                )
                form = f'<form><label>Who are you? <input name="name"></label>{hidden}'
                self._send(f"{form}<button>Log in</button></form>")
            elif place.path == "/authorize":
                code = secrets.token_urlsafe(16)
                logins.begun[code] = asked
                back = urlencode({"code": code, "state": asked["state"]})
                self.send_response(302)
                self.send_header("location", f"{asked['redirect_uri']}?{back}")
                self.end_headers()
            else:
                self.send_error(404)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            token = logins.redeem(form)
            self._send(token or {"error": "invalid_grant"}, 200 if token else 400)

        def _send(self, body: dict[str, Any] | str, status: int = 200) -> None:
            kind = "text/html; charset=utf-8" if isinstance(body, str) else "application/json"
            data = (body if isinstance(body, str) else json.dumps(body)).encode()
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Nothing is told."""

    return Provider


if __name__ == "__main__":
    port = int(sys.argv[1])
    there = handler(Logins(f"http://127.0.0.1:{port}"))
    ThreadingHTTPServer(("127.0.0.1", port), there).serve_forever()
