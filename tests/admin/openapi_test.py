"""Compares docs/openapi.yaml with a server that runs: openapi_test.py TRACKER OPENAPI_YAML

Every answer must be one that the file describes, and every answer that it describes must have been seen, unless the file
says why it was not provoked here.
"""

import hashlib
import http.client
import json
import re
import subprocess
import sys
import tempfile
import time

import jsonschema
import yaml


def fail(message):
    sys.exit(f"FAILED: {message}")


class Api:
    def __init__(self, file):
        with open(file, encoding="utf-8") as stream:
            self.document = yaml.safe_load(stream)
        if not self.document["openapi"].startswith("3.1"):
            fail("the file is not OpenAPI 3.1")
        self.seen = set()
        self.resolver = jsonschema.RefResolver("", self.document)
        for name, schema in self.document["components"]["schemas"].items():
            jsonschema.Draft202012Validator.check_schema(schema)
            self.validate({}, {"anyOf": [True, {"$ref": f"#/components/schemas/{name}"}]})

    def resolve(self, value):
        while "$ref" in value:
            value = self.resolver.resolve(value["$ref"])[1]
        return value

    def validate(self, value, schema):
        jsonschema.Draft202012Validator(schema, resolver=self.resolver).validate(value)

    def template_of(self, target):
        asked = target.split("?")[0]
        for template in sorted(self.document["paths"], key=lambda path: (path == "/{path}", path.count("{"))):
            pattern = re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(template)) if template != "/{path}" else "/.*"
            if re.fullmatch(pattern, asked):
                return template
        fail(f"{target} is not described")

    def check(self, template, method, status, fields, body):
        operation = self.document["paths"][template].get(method.lower())
        where = f"{method} {template}: {status}"
        if operation is None and status == 405:  # a method that is not described
            return
        if operation is None or str(status) not in operation["responses"]:
            fail(f"{where} is not described; the body is {body!r}")
        self.seen.add((template, method.lower(), str(status)))
        answer = self.resolve(operation["responses"][str(status)])
        kind = fields.get("Content-Type", "").split(";")[0]
        if kind not in answer["content"]:
            fail(f"{where}: {kind} is not described")
        for name, header in answer.get("headers", {}).items():
            value = fields.get(name)
            if value is not None:
                self.validate(value, self.resolve(header)["schema"])
            elif name != "Link":
                fail(f"{where}: there is no {name}")
        if kind != "text/csv":
            try:
                self.validate(json.loads(body), answer["content"][kind]["schema"])
            except jsonschema.ValidationError as error:
                fail(f"{where}: {error.message} in {body!r}")
        if kind == "application/problem+json" and json.loads(body)["status"] != status:
            fail(f"{where}: the body has another status")

    def unseen(self):
        for template, item in self.document["paths"].items():
            for method, operation in item.items():
                if method == "servers":
                    continue
                for status, answer in operation["responses"].items():
                    answer = self.resolve(answer)
                    if (template, method, status) not in self.seen and "x-not-provoked" not in answer:
                        yield f"{method} {template}: {status}"


class Service:
    def __init__(self, tracker, directory, *more):
        with open(f"{directory}/keys", "w", encoding="utf-8") as keys:
            keys.write(f"ana read {hashlib.sha256(b'alpha').hexdigest()}\n")
            keys.write(f"bea write {hashlib.sha256(b'beta').hexdigest()}\n")
        self.log = open(f"{directory}/log", "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [tracker, "serve", "--envoy-addr", "127.0.0.1:0", "--health-addr", "127.0.0.1:0", "--store", "memory",
             "--admin-addr", "127.0.0.1:0", "--admin-keys", f"{directory}/keys", "--self-addr", "127.0.0.1:0", *more],
            stderr=self.log)
        self.counted = self.port(r"listening envoy=127\.0\.0\.1:(\d+)")
        self.own = self.port(r" self=127\.0\.0\.1:(\d+)")
        self.admin = self.port(r"admin door at address=127\.0\.0\.1:(\d+)")

    def port(self, pattern):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            self.log.seek(0)
            found = re.search(pattern, self.log.read())
            if found:
                return int(found[1])
            time.sleep(0.02)
        fail("tracker does not start")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)


def main():
    tracker, file = sys.argv[1:]
    api = Api(file)
    bounds = ("--paths-max", "10", "--mint-rate", "1", "--mint-burst", "1", "--trusted-proxies", "127.0.0.1")
    with tempfile.TemporaryDirectory() as directory, Service(tracker, directory, *bounds) as service:
        def ask(port, target, fields, template=None, method="GET", sent=None):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            connection.putrequest(method, target, skip_host="Host" in fields)
            for name, value in fields.items():
                connection.putheader(name, value)
            if sent is not None:
                connection.putheader("Content-Length", str(len(sent)))
            connection.endheaders(sent and sent.encode())
            answer = connection.getresponse()
            body = answer.read().decode()
            api.check(template or api.template_of(target), method, answer.status, answer.headers, body)
            connection.close()
            return answer, body

        _, body = ask(service.counted, "/auth", {})
        token = json.loads(body)["token"]
        bearer = {"Authorization": f"Bearer {token}"}

        def count(target, fields):
            return ask(service.counted, target, fields, template="/{path}")

        for path in ("/a", "/a", "/v1/tokens", "/b?x=1"):
            count(path, bearer)
        count("/a", {})
        with tempfile.TemporaryDirectory() as other, Service(tracker, other, "--paths-max", "1") as bounded:
            _, body = ask(bounded.counted, "/auth", {})
            its = {"Authorization": f"Bearer {json.loads(body)['token']}"}
            for path in ("/one", "/two"):
                ask(bounded.counted, path, its, template="/{path}")
        count("/a", {"Authorization": "Bearer 00000000-0000-4000-8000-000000000000"})
        count("/%zz", bearer)
        count("/" + "x" * 9000, bearer)
        count("/a", bearer | {"Expect": "a miracle"})
        count("/a", bearer | {"X": "x" * 20000})

        while ask(service.counted, "/auth", {"X-Forwarded-For": "192.0.2.1"})[0].status != 429:
            pass
        with tempfile.TemporaryDirectory() as other, Service(tracker, other, "--auth", "closed") as closed:
            ask(closed.counted, "/auth", {})

        own = "/v1/self/counts"
        next_cursor = json.loads(ask(service.own, own + "?limit=1", bearer)[1])["next"]
        ask(service.own, f"{own}?prefix=/&cursor={next_cursor}", bearer)
        ask(service.own, own + "?limit=0", bearer)
        ask(service.own, own, {})
        while ask(service.own, own, bearer)[0].status != 429:
            pass

        key = {"Authorization": "Bearer alpha"}
        token_id = hashlib.sha256(bytes.fromhex(token.replace("-", ""))).hexdigest()[:32]
        one = f"/v1/tokens/{token_id}"
        ask(service.counted, "/auth", {})
        for target in ("/v1/status", "/v1/tokens", "/v1/tokens?limit=1", one, one + "/counts",
                       one + "/counts?prefix=/a&limit=1", one + "/counts?limit=1"):
            answer, body = ask(service.admin, target, key)
            if "next" in json.loads(body):
                following = re.fullmatch(r'<(.*)>; rel="next"', answer.headers["Link"])[1]
                ask(service.admin, following, key)
        for target in ("/v1/top", "/v1/top?by=token&limit=1"):
            ask(service.admin, target, key)
        for target in ("/v1/tokens", "/v1/top", one + "/counts"):
            ask(service.admin, target, key | {"Accept": "text/csv"})
            ask(service.admin, target + "?limit=0", key)
        for target in ("/v1/status", "/v1/top", "/v1/tokens", one, one + "/counts"):
            ask(service.admin, target + "?nonsense=1", key)
            ask(service.admin, target, {})
            ask(service.admin, target, key | {"Origin": "http://example.com"})
            ask(service.admin, target, key | {"Host": "example.com"})
        for target in ("/v1/tokens/" + "0" * 32, "/v1/tokens/" + "0" * 32 + "/counts"):
            ask(service.admin, target, key)
        may_write = {"Authorization": "Bearer beta"}

        def change(method, target, sent=None, fields=may_write):
            answer, body = ask(service.admin, target, fields, method=method, sent=sent)
            return json.loads(body)

        made = change("POST", "/v1/tokens", '{"label":"shop 7","ttl_s":3600,"idle_ttl_s":60}')
        its = f"/v1/tokens/{made['id']}"
        count("/a", {"Authorization": f"Bearer {made['token']}"})
        for method, target in (("POST", "/v1/tokens"), ("PATCH", its), ("DELETE", its + "?purge=perhaps")):
            change(method, target, '{"ttl_s":-1}')
            change(method, target, "{}", {})
            change(method, target, "{}", key)
            change(method, target, "{}", may_write | {"Host": "example.com"})
        change("PATCH", its, '{"label":"shop 8","ttl_s":0}')
        for target in ("/v1/tokens?label=shop%208", "/v1/tokens?state=active", "/v1/tokens?state=asleep"):
            ask(service.admin, target, key)
        change("DELETE", its)
        ask(service.admin, its + "/counts", key)
        change("DELETE", its + "?purge=true")
        change("DELETE", its)
        change("PATCH", its, "{}")
        counts = json.loads(ask(service.admin, one + "/counts", key)[1])["counts"]
        if counts != [{"path": "/a", "count": 2}, {"path": "/b", "count": 1}, {"path": "/v1/tokens", "count": 1}]:
            fail(f"the counts are {counts}")
    unseen = list(api.unseen())
    if unseen:
        fail("described, but not seen: " + "; ".join(unseen))
    print(f"{len(api.seen)} kinds of answers are as they are described")


main()
