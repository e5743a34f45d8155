"""A bare WSGI app for gunicorn, which takes its socket from LISTEN_FDS."""

import json
import os


def app(environ, start_response):
    answer = {
        "app": "gunicorn",
        "pid": os.getpid(),
        "forwarded_for": environ.get("HTTP_X_FORWARDED_FOR"),
        "scheme": environ["wsgi.url_scheme"],
    }
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(answer).encode()]
