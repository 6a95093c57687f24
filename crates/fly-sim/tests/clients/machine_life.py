#!/usr/bin/env python3
"""Takes a Machine through its whole life, following the conventions of Fly's own clients.

Only the standard library. FLY_FLAPS_BASE_URL and FLY_API_TOKEN say where and with what.
"""

import http.cookiejar
import json
import os
import re
import time
import urllib.error
import urllib.request

BASE = os.environ["FLY_FLAPS_BASE_URL"]
TOKEN = os.environ["FLY_API_TOKEN"]
COOKIES = http.cookiejar.CookieJar()
OPENER = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(COOKIES))
RETRY = re.compile(r"refusing to start|current state: '(created|replacing|stopping)'|currently replaced")


class Refused(Exception):
    def __init__(self, status, body, request_id):
        self.status = status
        try:
            parsed = json.loads(body)
            self.text = parsed.get("message") or parsed.get("error") or body
            self.code = parsed.get("status")
        except ValueError:
            self.text, self.code = body, None
        super().__init__(f"{status} {self.text} ({request_id})")


def call(method, path, body=None, nonce=None, timeout=75):
    """One call; throttled and briefly refused calls are made again."""
    data = None if body is None else json.dumps(body).encode()
    until = time.monotonic() + timeout
    while True:
        request = urllib.request.Request(BASE + "/v1" + path, data=data, method=method)
        request.add_header("Authorization", TOKEN)
        request.add_header("User-Agent", "machine-life/1")
        if data is not None:
            request.add_header("Content-Type", "application/json")
        if nonce is not None:
            request.add_header("fly-machine-lease-nonce", nonce)
        try:
            with OPENER.open(request, timeout=75) as reply:
                assert reply.headers["fly-request-id"], "every answer has a request id"
                text = reply.read()
                return reply.status, json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            refused = Refused(error.code, error.read().decode(), error.headers["fly-request-id"])
            again = refused.status == 429 or (refused.status == 412 and RETRY.search(refused.text))
            if not again or time.monotonic() > until:
                raise refused from None
            time.sleep(0.3)


def refused(status, method, path, body=None, nonce=None):
    """A call that must be refused."""
    try:
        call(method, path, body, nonce)
    except Refused as error:
        assert error.status == status, error
        return error
    raise AssertionError(f"{method} {path} wasn't refused with {status}")


def wait(machine, state, version=None):
    """Asks again and again in short waits, until the own deadline."""
    until = time.monotonic() + 30
    query = f"?state={state}&timeout=5" + (f"&instance_id={version}" if version else "")
    while True:
        try:
            return call("GET", machine + "/wait" + query)[1]
        except Refused as error:
            if state == "destroyed" and error.status == 404:
                return {"ok": True}
            if error.status != 408 or time.monotonic() > until:
                raise


def make_app(name):
    status, app = call("POST", "/apps", {"name": name, "org_slug": "personal", "network": "m-1"})
    assert status == 201 and app["id"]
    assert any(cookie.name == "fly_flaps_affinity" for cookie in COOKIES), "the affinity cookie is kept"
    taken = refused(422, "POST", "/apps", {"name": name, "org_slug": "personal"})
    assert taken.code == "name_taken", taken
    shown = call("GET", f"/apps/{name}")[1]
    assert shown["organization"]["slug"] == "personal" and shown["network"] == "m-1"
    for kind in ("v6", "shared_v4"):
        assert call("POST", f"/apps/{name}/ip_assignments", {"type": kind})[1]["ip"]
    return call("POST", f"/apps/{name}/secrets", {"values": {"TOKEN": "s3cret"}})[1]["version"]


def make_machine(name, secrets):
    volume = call("POST", f"/apps/{name}/volumes", {"name": "data", "region": "fra", "size_gb": 1})[1]
    config = {
        "image": "registry-1.docker.io/library/ubuntu:latest",
        "guest": {"cpu_kind": "shared", "cpus": 1, "memory_mb": 512},
        "mounts": [{"volume": volume["id"], "path": "/data"}],
        "metadata": {"launch": "one"},
        "stop_config": {"signal": "SIGTERM", "timeout": "30s"},
    }
    body = {"name": "one", "region": "fra", "config": config, "min_secrets_version": secrets}
    machine = call("POST", f"/apps/{name}/machines", body)[1]
    again = refused(409, "POST", f"/apps/{name}/machines", {"name": "one", "config": {"image": "x"}})
    assert re.search(r"machine ID (\w+) already exists", again.text).group(1) == machine["id"]
    return f"/apps/{name}/machines/{machine['id']}", volume["id"], machine


def main():
    name = "machine-life"
    tokens = call("GET", "/tokens/current")[1]["tokens"]
    assert tokens[0]["org_slug"] == "personal"
    secrets = make_app(name)
    path, volume, machine = make_machine(name, secrets)
    print("created", machine["id"], machine["state"])
    wait(path, "started")

    status, lease = call("POST", path + "/lease", {"ttl": 60, "description": "update"})
    assert status == 201 and lease["status"] == "success"
    nonce = lease["data"]["nonce"]
    held = refused(409, "POST", path + "/stop")
    assert "lease currently held by" in held.text, held
    fresh = call("GET", path)[1]
    assert lease["data"]["version"] == fresh["instance_id"]
    fresh["config"]["env"] = {"LEVEL": "2"}
    update = {"config": fresh["config"], "current_version": fresh["instance_id"]}
    updated = call("POST", path, update, nonce)[1]
    assert updated["instance_id"] != fresh["instance_id"]
    wait(path, "started", updated["instance_id"])
    assert call("GET", path)[1]["config"]["env"] == {"LEVEL": "2"}
    print("updated", updated["instance_id"])

    result = call("POST", path + "/exec", {"command": ["echo", "hello"], "timeout": 10}, nonce)[1]
    assert result.get("exit_code", 0) == 0 and result["stdout"] == "hello\n", result
    call("POST", path + "/stop", {"timeout": "30s"}, nonce)
    wait(path, "stopped", updated["instance_id"])
    events = call("GET", path + "/events")[1]
    assert events[0]["type"] == "exit" and events[0]["request"]["exit_event"]["requested_stop"]
    call("POST", path + "/start", None, nonce)
    wait(path, "started")
    refused(412, "DELETE", path, None, nonce)
    refused(412, "DELETE", f"/apps/{name}/volumes/{volume}")
    call("DELETE", path + "?force=true", None, nonce)
    wait(path, "destroyed")
    call("DELETE", f"/apps/{name}/volumes/{volume}")
    assert call("DELETE", f"/apps/{name}?force=true")[0] == 202
    refused(404, "GET", f"/apps/{name}")
    print("destroyed and gone")


if __name__ == "__main__":
    main()
