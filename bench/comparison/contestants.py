"""The contestants: how each is started, with one worker, and what it can do."""

import dataclasses
import os
import re
import subprocess

from . import http_load, processes

_any_port = "127.0.0.1:0"
_connections_max = 12_000  # more than any workload opens


@dataclasses.dataclass
class Running:
    """A started contestant."""

    ports: list  # of all the doors that take the load together
    counts: bool = True  # it answers {"count":N}, N being the requests of this token and path so far
    mints: bool = False  # GET /auth answers a token, and only such tokens are counted
    redis_port: int = 0  # of the Redis that keeps its counts
    data: str = ""  # the directory that holds its counts

    @property
    def port(self):
        return self.ports[0]


@dataclasses.dataclass
class Contestant:
    name: str
    title: str
    start: object  # start(ground) -> Running
    speaks: str = "http"  # or redis, or grpc
    durable: bool = False
    mints: bool = False
    counts: bool = True
    one_worker: bool = True


class Programs:
    """The paths of our own programs."""

    def __init__(self, tracker, floor):
        self.tracker = tracker
        self.floor = floor


def all_contestants(programs):
    """All contestants in the order in which they run. Those that are compared run one after the other."""
    tracker = programs.tracker
    return [
        Contestant("lua", "nginx + Lua shared dictionary", _start_lua),
        Contestant("haproxy", "HAProxy stick table", _start_haproxy),
        Contestant("floor", "floor: a bare epoll loop", lambda ground: _start_floor(ground, programs.floor)),
        Contestant(
            "memory",
            "tracker serve, memory store",
            lambda ground: start_serve(ground, tracker, "memory"),
            mints=True,
        ),
        Contestant(
            "durable",
            "tracker serve, durable store",
            lambda ground: start_serve(ground, tracker, "rocksdb"),
            durable=True,
            mints=True,
        ),
        Contestant(
            "redis-always",
            "Redis INCR, no HTTP, appendfsync always",
            lambda ground: _start_redis(ground, True),
            "redis",
            durable=True,
        ),
        Contestant(
            "redis", "Redis INCR, no HTTP, not durable", lambda ground: _start_redis(ground, False), "redis"
        ),
        Contestant("nginx", "nginx, return 200 (counts nothing)", _start_nginx, counts=False),
        Contestant(
            "fleet",
            "tracker envoy + counter + Redis",
            lambda ground: start_fleet(ground, tracker, threads=1),
            mints=True,
        ),
        Contestant(
            "fleet-default",
            "tracker envoy + counter + Redis, default threads",
            lambda ground: start_fleet(ground, tracker, threads=None),
            mints=True,
            one_worker=False,
        ),
    ]


def _start_floor(ground, floor):
    port = processes.free_port()
    ground.start("floor", floor, str(port)).wait_until(lambda: processes.accepts(port))
    return Running([port])


_nginx_start = """{modules}
daemon off;
worker_processes 1;
worker_rlimit_nofile {descriptors};
pid {directory}/nginx.pid;
error_log stderr;
{user}
events {{ worker_connections {connections}; }}
http {{
  access_log off;
  server_tokens off;
  keepalive_requests 1000000000;
  default_type application/json;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  {dictionary}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{ {location} }}
  }}
}}
"""

_nginx_fixed = """add_header Cache-Control no-store; return 200 '{"count":123456}';"""

_lua_modules = """
load_module /usr/lib/nginx/modules/ndk_http_module.so;
load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;
"""

_lua_dictionary = "lua_shared_dict counts 512m;"

_nginx_lua = """content_by_lua_block {
      local key = ngx.var.http_authorization .. ngx.var.uri
      local body = '{"count":' .. ngx.shared.counts:incr(key, 1, 0) .. '}'
      ngx.header["Cache-Control"] = "no-store"
      ngx.header["Content-Length"] = #body
      ngx.print(body)
    }"""


def _start_nginx(ground, location=_nginx_fixed, modules="", dictionary=""):
    port = processes.free_port()
    configuration = ground.write(
        "nginx.conf",
        _nginx_start.format(
            directory=ground.directory,
            user="user root;" if os.geteuid() == 0 else "",
            modules=modules,
            dictionary=dictionary,
            connections=_connections_max,
            descriptors=_connections_max + 100,
            port=port,
            location=location,
        ),
    )
    server = ground.start("nginx", "nginx", "-p", ground.directory, "-e", "stderr", "-c", configuration)
    server.wait_until(lambda: processes.accepts(port))
    return Running([port], counts=False)


def _start_lua(ground):
    return dataclasses.replace(_start_nginx(ground, _nginx_lua, _lua_modules, _lua_dictionary), counts=True)


_haproxy_answer = r'"{\"count\":%[sc0_http_req_cnt]}"'

_haproxy_start = """
global
  nbthread 1
  maxconn {connections}
  no strict-limits
defaults
  mode http
  timeout client 75s
  timeout http-keep-alive 75s
  timeout http-request 10s
frontend counting
  bind 127.0.0.1:{port} backlog 4096
  stick-table type string len 128 size 2m store http_req_cnt
  http-request set-var-fmt(txn.key) %[req.hdr(authorization)]%[path]
  http-request track-sc0 var(txn.key)
  http-request return status 200 hdr cache-control no-store content-type application/json lf-string {answer}
"""


def _start_haproxy(ground):
    port = processes.free_port()
    configuration = ground.write(
        "haproxy.cfg", _haproxy_start.format(connections=_connections_max, port=port, answer=_haproxy_answer)
    )
    server = ground.start("haproxy", "haproxy", "-db", "-f", configuration)
    server.wait_until(lambda: processes.accepts(port))
    return Running([port])


def _start_redis(ground, durable, directory="redis", more=()):
    port = processes.free_port()
    data = ground.path(directory)
    os.mkdir(data)
    appending = ["--appendonly", "yes", "--appendfsync", "always"] if durable else ["--appendonly", "no"]
    server = ground.start(
        "redis",
        "redis-server",
        "--bind",
        "127.0.0.1",
        "--port",
        str(port),
        "--dir",
        data,
        "--save",
        "",
        "--maxclients",
        str(_connections_max),
        *appending,
        *more,
    )
    server.wait_until(lambda: "Ready to accept connections" in server.log())
    return Running([port], redis_port=port, data=data)


def start_serve(ground, tracker, store, threads=1):
    """tracker serve with the memory store, or with the default store in the ground's directory."""
    data = ground.path("counts") if store == "rocksdb" else ""
    server = _start_tracker(
        ground,
        tracker,
        "serve",
        envoy_addr=_any_port,
        threads=threads,
        store=f"rocksdb:{data}" if data else store,
        connections_max=_connections_max,
    )
    return Running([_ready_port(server, "envoy")], mints=True, data=data)


def start_counter(ground, tracker):
    """A counter over memory with one thread. Its clients use gRPC."""
    return Running(
        [
            _ready_port(
                _start_tracker(ground, tracker, "counter", counter_addr=_any_port, store="memory", threads=1),
                "counter",
            )
        ]
    )


def start_fleet(ground, tracker, threads, envoys=1):
    """Redis, a counter and envoys, each with this many threads. None: the default, one for each core."""
    redis = _start_redis(ground, durable=False)
    return _start_fleet_over(ground, tracker, threads, envoys, redis.port)


def start_fleet_with_replica(ground, tracker):
    """A Redis with a replica, and a counter that waits for it. One thread each."""
    redis = _start_redis(ground, durable=False)
    replica = _start_redis(ground, durable=False, directory="replica")
    _redis_cli(replica.port, "REPLICAOF", "127.0.0.1", str(redis.port))
    ground.servers[-1].wait_until(lambda: "master_link_status:up" in _redis_cli(replica.port, "INFO", "replication"))
    return _start_fleet_over(ground, tracker, 1, 1, redis.port, redis_replicas=1)


_nutcracker_start = """counts:
  listen: 127.0.0.1:{port}
  redis: true
  hash: murmur
  distribution: ketama
  hash_tag: "{{}}"
  auto_eject_hosts: false
  timeout: 400
  server_connections: 1
  servers:
    - 127.0.0.1:{redis}:1 one
"""


def start_fleet_behind_proxy(ground, tracker):
    """A counter with nutcracker before its Redis. One thread each."""
    redis = _start_redis(ground, durable=False)
    port = processes.free_port()
    configuration = ground.write("nutcracker.yml", _nutcracker_start.format(port=port, redis=redis.port))
    proxy = ground.start(
        "nutcracker",
        "/usr/sbin/nutcracker",
        "--conf-file",
        configuration,
        "--stats-addr",
        "127.0.0.1",
        "--stats-port",
        str(processes.free_port()),
    )
    proxy.wait_until(lambda: processes.accepts(port))
    return _start_fleet_over(ground, tracker, 1, 1, port, "--redis-proxy")


def start_fleet_on_cluster(ground, tracker, masters):
    """A counter on a Redis Cluster of masters alone. One thread each."""
    slots = 16_384
    ports = []
    for number in range(masters):
        settings = ["--cluster-enabled", "yes", "--cluster-port", str(processes.free_port())]
        ports.append(_start_redis(ground, durable=False, directory=f"node-{number}", more=settings).port)
    for number, port in enumerate(ports):
        first, end = slots * number // masters, slots * (number + 1) // masters
        _redis_cli(port, "CLUSTER", "SET-CONFIG-EPOCH", str(number + 1))
        _redis_cli(port, "CLUSTER", "ADDSLOTSRANGE", str(first), str(end - 1))
        bus = _redis_cli(port, "CONFIG", "GET", "cluster-port").split()[-1]
        _redis_cli(ports[0], "CLUSTER", "MEET", "127.0.0.1", str(port), bus)
    for port in ports:
        ground.servers[-1].wait_until(lambda port=port: "cluster_state:ok" in _redis_cli(port, "CLUSTER", "INFO"))
    return _start_fleet_over(ground, tracker, 1, 1, ports[0], store="redis-cluster")


def _redis_cli(port, *command):
    return subprocess.run(
        ["redis-cli", "-p", str(port), *command], capture_output=True, text=True, timeout=10, check=True
    ).stdout


def _start_fleet_over(ground, tracker, threads, envoys, redis_port, *switches, **more):
    counter = _start_tracker(
        ground,
        tracker,
        "counter",
        *switches,
        counter_addr=_any_port,
        redis_addr=f"127.0.0.1:{redis_port}",
        threads=threads,
        **more,
    )
    settings = {
        "envoy_addr": _any_port,
        "counter_addr": f"127.0.0.1:{_ready_port(counter, 'counter')}",
        "connections_max": _connections_max,
        "threads": threads,
    }
    started = [_start_tracker(ground, tracker, "envoy", **settings) for _ in range(envoys)]
    ports = [_ready_port(envoy, "envoy") for envoy in started]
    return Running(ports, mints=True, redis_port=redis_port)


def start_partition(ground, tracker, counters, balanced=False, killed=0):
    """An envoy before several counters that share the tokens, each with a Redis of its own. One thread each.

    They have the list of counters, or ask a balancer for it. Some counters are killed before the load, which then has
    tokens of the others.
    """
    ports = [processes.free_port() for _ in range(counters)]
    peers = ",".join(f"c{number}=127.0.0.1:{port}" for number, port in enumerate(ports))
    if balanced:
        balancer = _start_tracker(ground, tracker, "balancer", balancer_addr=_any_port, counters=peers, threads=1)
        peers = f"lookup://127.0.0.1:{_ready_port(balancer, 'balancer')}"
    started = []
    for number, port in enumerate(ports):
        redis = _start_redis(ground, durable=False, directory=f"redis-{number}")
        started.append(
            _start_tracker(
                ground,
                tracker,
                "counter",
                counter_addr=f"127.0.0.1:{port}",
                redis_addr=f"127.0.0.1:{redis.port}",
                peers=peers,
                name=f"c{number}",
                threads=1,
            )
        )
    for counter in started:
        _ready_port(counter, "counter")
    envoy = _start_tracker(
        ground,
        tracker,
        "envoy",
        envoy_addr=_any_port,
        counter_addr=peers,
        connections_max=_connections_max,
        threads=1,
    )
    port = _ready_port(envoy, "envoy")
    for counter in started[:killed]:
        counter.kill()
        ground.servers.remove(counter)  # its end is no failure
    return Running([port], mints=True)


def _start_tracker(ground, tracker, command, *switches, **settings):
    """Settings have the names of their flags. A setting that is None keeps its default."""
    given = {"health_addr": _any_port, **settings}
    flags = [
        (f"--{name.replace('_', '-')}", str(value)) for name, value in given.items() if value is not None
    ]
    return ground.start(command, tracker, command, *switches, *(word for flag in flags for word in flag))


def _ready_port(server, name):
    """The port that a tracker's log names, once the tracker is ready."""
    line = server.wait_until(lambda: re.search(rf"listening .*\b{name}=.*\n", server.log()))[0]
    ports = dict(re.findall(r"(\w+)=127\.0\.0\.1:(\d+)", line))
    server.wait_until(lambda: _answers(int(ports["health"]), "/readyz"))
    return int(ports[name])


def _answers(port, path):
    try:
        return http_load.ask(port, path)[0] == 200
    except OSError:
        return False


def versions(programs):
    """The versions by program."""
    commands = {
        "tracker": [programs.tracker, "--version"],
        "nginx": ["nginx", "-v"],
        "haproxy": ["haproxy", "-v"],
        "redis": ["redis-server", "--version"],
        "wrk": ["wrk", "-v"],
    }
    return {name: _version(command) for name, command in commands.items()}


def _version(command):
    try:
        output = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except OSError as error:
        return str(error)
    match = re.search(r"\d+\.\d[\w.+-]*", output.stdout + output.stderr)
    return match[0] if match else "?"
