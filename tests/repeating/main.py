"""Sends tracker 20 requests through each client or proxy, over connections that break after the request was counted.
Prints how many were counted: main.py TRACKER"""

import http.client
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time

from breaking_proxy import BreakingProxy

here = pathlib.Path(__file__).parent
asked = 20
patience_s = 20

# Proxies in the environment are meant for the web.
environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}


def main():
    tracker, address = start_tracker(sys.argv[1])
    try:
        with tempfile.TemporaryDirectory() as directory:
            build_clients(directory)
            measure(address, directory)
    finally:
        tracker.terminate()
        tracker.wait()


def start_tracker(program):
    """Returns the process and its HTTP address."""
    addresses = ["--envoy-addr", "127.0.0.1:0", "--health-addr", "127.0.0.1:0"]
    tracker = subprocess.Popen(
        [program, "serve", "--store", "memory", *addresses], stderr=subprocess.PIPE, text=True
    )
    for line in tracker.stderr:
        if listening := re.search(r"listening envoy=([\d.]+):(\d+)", line):
            return tracker, (listening[1], int(listening[2]))
    sys.exit("tracker did not start")


def build_clients(directory):
    go_environment = {**environment, "GOCACHE": f"{directory}/go", "GO111MODULE": "off"}
    go = ["go", "build", "-o", f"{directory}/client", str(here / "client.go")]
    subprocess.run(go, check=True, env=go_environment)
    subprocess.run(["javac", "-d", directory, str(here / "Client.java")], check=True)


def measure(address, directory):
    """Each client uses a proxy that answers the first request of a connection and breaks the connection at the second.
    Each proxy has two servers: one breaks every connection, and the other is tracker."""
    breaks_kept = BreakingProxy(address, answered=1).port
    breaks_every = BreakingProxy(address, answered=0).port
    token = ask(address, "/auth")["token"]
    print(f"{'client or proxy':<52} {'asked':>6} {'answered':>9} {'counted':>8}")

    def report(name, url, client):
        """`client`: its command, with the words URL and TOKEN as placeholders."""
        path = f"/{report.number}"
        report.number += 1
        words = [{"URL": url + path, "TOKEN": token}.get(word, word) for word in client]
        done = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True, env=environment)
        counted = ask(address, path, token)["count"] - 1
        print(f"{name:<52} {asked:>6} {int(done.stdout):>9} {counted:>8}", flush=True)

    report.number = 0
    for name, client in clients(directory).items():
        report(name, f"http://127.0.0.1:{breaks_kept}", client)
    for name, start in proxies(directory, [breaks_every, address[1]]).items():
        port = free_port()
        proxy = start(port)
        try:
            wait_until_it_listens(port)
            report(name, f"http://127.0.0.1:{port}", never_repeats())
        finally:
            proxy.terminate()
            proxy.wait()


def never_repeats():
    return ["/usr/bin/python3", str(here / "client.py"), "URL", "TOKEN", str(asked)]


def clients(directory):
    go, node = [f"{directory}/client"], ["node", str(here / "client.js")]
    java = ["java", "-cp", directory]
    what = ["URL", "TOKEN", str(asked)]
    return {
        "Go, net/http": [*go, *what],
        "Go, net/http, DisableKeepAlives": [*go, *what, "no-keep-alive"],
        "Java, java.net.http": [*java, "Client", *what],
        "Java, -Djdk.httpclient.redirects.retrylimit=1": [
            *java,
            "-Djdk.httpclient.redirects.retrylimit=1",
            "Client",
            *what,
        ],
        "curl, 20 URLs": [str(here / "client.sh"), *what],
        "curl, 20 URLs, Connection: close": [str(here / "client.sh"), *what, "--header", "Connection: close"],
        "Node.js, http with a keep-alive agent": [*node, *what, "http"],
        "Node.js, fetch": [*node, *what, "fetch"],
        "Python, requests": never_repeats(),
    }


def proxies(directory, servers):
    """Functions by name. Each starts its proxy on a port and returns the process."""

    def nginx(setting):
        def start(port):
            upstream = "".join(f"server 127.0.0.1:{server} max_fails=0;" for server in servers)
            temporary = "".join(
                f"{kind}_temp_path {directory}/{kind};"
                for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
            )
            config = write(
                "nginx.conf",
                f"daemon off; worker_processes 1; pid {directory}/nginx.pid; error_log /dev/null; events {{}}\n"
                f"http {{ access_log off; {temporary} upstream envoys {{ {upstream} }}\n"
                f"server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://envoys; {setting} }} }} }}\n",
            )
            return quiet("/usr/sbin/nginx", "-p", directory, "-c", config)

        return start

    def haproxy(setting):
        def start(port):
            lines = "\n".join(f"  server s{server} 127.0.0.1:{server}" for server in servers)
            config = write(
                "haproxy.cfg",
                "defaults\n  mode http\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s\n"
                f"listen tracker\n  bind 127.0.0.1:{port}\n  balance roundrobin\n  {setting}\n{lines}\n",
            )
            return quiet("/usr/sbin/haproxy", "-f", config)

        return start

    def write(name, text):
        path = pathlib.Path(directory) / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    def quiet(*command):
        return subprocess.Popen(command, stderr=subprocess.DEVNULL)

    return {
        "nginx": nginx(""),
        "nginx, proxy_next_upstream off": nginx("proxy_next_upstream off;"),
        "HAProxy": haproxy(""),
        "HAProxy, retry-on all-retryable-errors": haproxy("retry-on all-retryable-errors"),
    }


def ask(address, path, token=None):
    connection = http.client.HTTPConnection(*address)
    connection.request("GET", path, headers={"Authorization": token} if token else {})
    return json.load(connection.getresponse())


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def wait_until_it_listens(port):
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        try:
            return socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.01)
    return sys.exit(f"nothing listens on port {port}")


main()
