"""A bare ASGI app: no framework, answers with what uvicorn made of the forwarded headers."""

import json
import os


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    answer = {
        "app": "uvicorn",
        "pid": os.getpid(),
        "client": scope["client"][0] if scope["client"] else None,
        "scheme": scope["scheme"],
    }
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": json.dumps(answer).encode()})
