"""Asks a counter what gRPC's rules demand of a server, by gRPC's own library for Python. One line for each check.

main.py rules ADDRESS            all but the end
main.py end ADDRESS PID FILE     ends the counter, which is process PID, while calls run; FILE tells what they got
main.py ended ADDRESS FILE       the same counts, served again: are they what FILE allows?
"""

import collections
import concurrent.futures
import contextlib
import os
import pathlib
import re
import signal
import sys
import threading
import time

import grpc
from google.protobuf import descriptor_pb2, empty_pb2

import health_pb2
import health_pb2_grpc
import manager_rpc_pb2
import manager_rpc_pb2_grpc
import reflection_pb2
from relay import Relay

patience_s = 30
public_service = "manager_rpc.CounterService"
update_counter = f"/{public_service}/UpdateCounter"
not_counted = "nothing was counted"
code = grpc.StatusCode


class Client:
    """One channel, which has a connection of its own. Proxies of the environment are for the web."""

    def __init__(self, port, options=()):
        own = [("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1)]
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=[*own, *options])
        self.counter = manager_rpc_pb2_grpc.CounterServiceStub(self.channel)
        self.health = health_pb2_grpc.HealthStub(self.channel)

    def mint(self):
        return self.counter.NewToken(empty_pb2.Empty(), timeout=patience_s).token

    def update(self, token, path="/p", **options):
        return self.counter.UpdateCounter(request(token, path), **{"timeout": patience_s, **options})

    def count(self, token, path="/p", **options):
        answer = self.update(token, path, **options)
        expect(answer.success, "the token is unknown")
        return answer.counter

    def start(self, token, path="/p", **options):
        return self.counter.UpdateCounter.future(request(token, path), **{"timeout": patience_s, **options})

    def call(self, method, message):
        """Of bytes, whatever they mean."""
        return self.channel.unary_unary(method)(message, timeout=patience_s)


def request(token, path):
    return manager_rpc_pb2.UpdateCounterRequest(token=token, path=path)


class Unexpected(Exception):
    pass


def expect(holds, otherwise):
    if not holds:
        raise Unexpected(otherwise)


def expect_equal(is_so, should_be, what):
    expect(is_so == should_be, f"{what}: {is_so!r}, not {should_be!r}")


def expect_each_once(counts, number, what):
    """Each count from 1 to `number`."""
    got, should_be = collections.Counter(counts), collections.Counter(range(1, number + 1))
    missing, besides = [list(some.elements())[:9] for some in (should_be - got, got - should_be)]
    expect(got == should_be, f"{what}: missing {missing}, and besides {besides}")


def expect_status(should_be, what, call):
    """Makes a call that must fail, and answers its message."""
    try:
        answer = call()
    except grpc.RpcError as error:
        expect_equal(error.code(), should_be, f"{what}: {error.details()}")
        return error.details()
    raise Unexpected(f"{what}: OK ({answer}), not {should_be}")


def wait_until(state, what):
    deadline = time.monotonic() + patience_s
    while not state():
        expect(time.monotonic() < deadline, f"in {patience_s} s not: {what}")
        time.sleep(0.005)


def outcome(call):
    """The code, message and count of a call that was started."""
    try:
        answer = call.result(timeout=2 * patience_s)
        return code.OK, "", answer.counter
    except grpc.FutureCancelledError:
        return code.CANCELLED, "", None
    except grpc.FutureTimeoutError:
        raise Unexpected("a call hangs") from None
    except grpc.RpcError as error:
        return error.code(), error.details(), None


def is_perhaps_counted(outcome):
    kind, message, _ = outcome
    return kind != code.OK and not message.endswith(not_counted)


def expect_between(counted, outcomes):
    """Each call that got OK was counted, and of the others at most those that are not surely uncounted."""
    ok = sum(outcome[0] == code.OK for outcome in outcomes)
    perhaps = sum(map(is_perhaps_counted, outcomes))
    expect(ok <= counted <= ok + perhaps, f"counted {counted}, with {ok} OK and {perhaps} perhaps")


def codes(outcomes):
    numbers = collections.Counter(o[0].name for o in outcomes)
    return ", ".join(f"{number} {name}" for name, number in numbers.items())


# The checks. Each may return what is worth telling.
#
# If a call ends as it begins, this library may reset a stream that it never opened (grpc/grpc issue 19655). RFC 9113,
# section 5.1, calls that an error of the connection. The counter ignores it, so that other calls go on.


def tokens_are_random_uuids(client):
    tokens = {client.mint() for _ in range(100)}
    expect_equal(len(tokens), 100, "tokens")
    for token in tokens:
        expect(re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", token), token)


def counts_are_exact(client):
    token = client.mint()
    paths = ["/a", "/b", "/c", "/ü"]
    with concurrent.futures.ThreadPoolExecutor(64) as threads:
        counts = list(threads.map(lambda i: (i % 4, client.count(token, paths[i % 4])), range(1000)))
    expect_equal(sum(count for _, count in counts), 4 * sum(range(1, 251)), "the sum")
    for i, path in enumerate(paths):
        expect_each_once([count for of, count in counts if of == i], 250, path)


def unknown_tokens_are_not_counted(client):
    token = client.mint()
    for other in ("", "nonsense", "00000000-0000-4000-8000-000000000000", token[:35], token + " ", "ü" * 36):
        answer = client.update(other)
        expect_equal((answer.success, answer.counter), (False, 0), other)
    expect_equal(client.count(token), 1, "the count")


def bad_requests_are_invalid_arguments(client):
    token = client.mint()
    empty = expect_status(code.INVALID_ARGUMENT, "an empty path", lambda: client.update(token, ""))
    expect_equal(empty, "path cannot be empty", "the message")
    expect_status(code.INVALID_ARGUMENT, "a long path", lambda: client.update(token, "/" + 8192 * "a"))
    not_utf8 = request(token, "/abc").SerializeToString().replace(b"/abc", b"/\xff\xfe\xfd")
    for what, message in (("no UTF-8", not_utf8), ("no message", b"\xff\xff\xff")):
        expect_status(code.INVALID_ARGUMENT, what, lambda: client.call(update_counter, message))
    expect_equal(client.count(token, "/" + 8191 * "a"), 1, "the longest path")


def compressed_requests_are_taken(client):
    token, path = client.mint(), "/" + 8000 * "a"
    ways = 20 * [grpc.Compression.Gzip] + 20 * [grpc.Compression.Deflate] + 20 * [grpc.Compression.NoCompression]
    for i, compression in enumerate(ways, 1):
        before = client.relay.sent_bytes
        expect_equal(client.count(token, path, compression=compression), i, "the count")
        sent = client.relay.sent_bytes - before
        expect((sent > 8000) == (i > 40), f"call {i} sent {sent} bytes")


def long_messages_are_resource_exhausted(client):
    token = client.mint()
    for size in (66_000, 200_000, 1_000_000):
        for _ in range(10):
            what = f"a message of {size} bytes"
            expect_status(code.RESOURCE_EXHAUSTED, what, lambda: client.update(token, size * "a"))
    gzip = grpc.Compression.Gzip
    long = 1_000_000 * "a"
    expect_status(code.RESOURCE_EXHAUSTED, "packed", lambda: client.update(token, long, compression=gzip))
    expect_equal(client.count(token), 1, "the count")


def a_thousand_calls_at_once(client):
    token = client.mint()
    outcomes = [outcome(call) for call in [client.start(token) for _ in range(1000)]]
    expect(all(o[0] == code.OK for o in outcomes), codes(outcomes))
    expect_each_once([o[2] for o in outcomes], 1000, "the counts")


def a_thousand_calls_are_open_and_cancelled(client):
    token = client.mint()
    watched = health_pb2.HealthCheckRequest()
    watches = [client.health.Watch(watched, timeout=patience_s) for _ in range(999)]
    for watch in watches:
        expect_equal(next(watch).status, health_pb2.HealthCheckResponse.SERVING, "a watcher's answer")
    expect_equal(client.count(token), 1, "the count beside 999 watchers")
    for watch in watches:
        watch.cancel()
    expect_equal(client.count(token), 2, "the count after them")


def calls_are_cancelled_under_way(client):
    token = client.mint()
    calls = [client.start(token) for _ in range(500)]
    for call in calls:
        call.cancel()
    outcomes = [outcome(call) for call in calls]
    expect({o[0] for o in outcomes} <= {code.OK, code.CANCELLED}, codes(outcomes))
    expect_between(client.count(token) - 1, outcomes)
    return codes(outcomes)


def deadlines_that_are_nearly_over(client):
    token = client.mint()
    timeouts = [1e-6, 1e-4, 5e-4, 1e-3, 2e-3, 5e-3, 2e-2]
    outcomes = []
    for _ in range(50):
        outcomes += map(outcome, [client.start(token, timeout=t) for t in timeouts])
    expect({o[0] for o in outcomes} <= {code.OK, code.DEADLINE_EXCEEDED, code.UNAVAILABLE}, codes(outcomes))
    expect_between(client.count(token) - 1, outcomes)
    return codes(outcomes)


def metadata_is_passed_over(client):
    token = client.mint()
    metadata = [("x-trace", "abc"), ("x-trace", "def"), ("x-bytes-bin", bytes(range(256))), ("x-long", 8000 * "x")]
    for i in range(1, 21):
        expect_equal(client.count(token, metadata=metadata), i, "the count")


def long_metadata_is_refused(client):
    token = client.mint()
    for size in (17_000, 64 * 1024):
        metadata = [("x-long", size * "x")]
        for _ in range(5):
            what = f"metadata of {size} bytes"
            expect_status(code.RESOURCE_EXHAUSTED, what, lambda: client.update(token, metadata=metadata))
    expect_equal(client.count(token), 1, "the count")


def what_does_not_exist_is_unimplemented(client):
    message = request(client.mint(), "/p").SerializeToString()
    for method in (f"/{public_service}/Nonsense", "/nonsense.Service/NewToken", "/tracker.v1.Counting/Mint"):
        expect_status(code.UNIMPLEMENTED, method, lambda: client.call(method, message))


def health_tells_what_is_served(client):
    answers = health_pb2.HealthCheckResponse
    for service in ("", public_service):
        asked = health_pb2.HealthCheckRequest(service=service)
        expect_equal(client.health.Check(asked, timeout=patience_s).status, answers.SERVING, "Check")
        watch = client.health.Watch(asked, timeout=patience_s)
        expect_equal(next(watch).status, answers.SERVING, "Watch")
        watch.cancel()
    unknown = health_pb2.HealthCheckRequest(service="nonsense")
    expect_status(code.NOT_FOUND, "Check", lambda: client.health.Check(unknown, timeout=patience_s))
    watch = client.health.Watch(unknown, timeout=patience_s)
    expect_equal(next(watch).status, answers.SERVICE_UNKNOWN, "Watch")
    watch.cancel()


def reflection_lists_what_is_public(client):
    for version in ("v1", "v1alpha"):
        ask = client.channel.stream_stream(
            f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )
        questions = (
            reflection_pb2.ServerReflectionRequest(list_services="*"),
            reflection_pb2.ServerReflectionRequest(file_containing_symbol=public_service),
            reflection_pb2.ServerReflectionRequest(file_containing_symbol="tracker.v1.Counting"),
        )
        listed, described, hidden = ask(iter(questions), timeout=patience_s)
        names = [service.name for service in listed.list_services_response.service]
        expect(public_service in names, f"{version} lists {names}")
        expect(not any(name.startswith("tracker") for name in names), f"{version} lists {names}")
        files = described.file_descriptor_response.file_descriptor_proto
        packages = [descriptor_pb2.FileDescriptorProto.FromString(file).package for file in files]
        expect("manager_rpc" in packages, f"{version} does not describe it")
        expect_equal(hidden.error_response.error_code, code.NOT_FOUND.value[0], f"{version} of tracker.v1")


def expect_pings(client, number):
    wait_until(lambda: client.relay.pings_answered >= number, f"{number} pings are answered")


def keepalive_with_a_call(client):
    token = client.mint()
    watch = client.health.Watch(health_pb2.HealthCheckRequest(), timeout=2 * patience_s)
    expect_equal(next(watch).status, health_pb2.HealthCheckResponse.SERVING, "Watch")
    expect_pings(client, 4)
    expect(watch.is_active(), "the call has ended")
    watch.cancel()
    expect_equal(client.count(token), 1, "the count")


def keepalive_without_calls(client):
    expect_pings(client, 2)
    expect_equal(client.count(client.mint()), 1, "the count")


# The library pings once a second, and once in 5 s while no call is open, however short this is.
keepalive = [
    ("grpc.keepalive_time_ms", 50),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
]

rules = {
    "NewToken: random UUIDs": tokens_are_random_uuids,
    "UpdateCounter: 1,000 calls, 64 in flight, 4 paths: each count once": counts_are_exact,
    "unknown tokens: OK, success=false, not counted": unknown_tokens_are_not_counted,
    "empty, long and malformed paths: INVALID_ARGUMENT": bad_requests_are_invalid_arguments,
    "gzip and deflate are counted, and identity after them": compressed_requests_are_taken,
    "messages over 64 KiB: RESOURCE_EXHAUSTED": long_messages_are_resource_exhausted,
    "1,000 UpdateCounter at once: each count once": a_thousand_calls_at_once,
    "1,000 calls open at once, and cancelled": a_thousand_calls_are_open_and_cancelled,
    "500 UpdateCounter cancelled under way": calls_are_cancelled_under_way,
    "deadlines of 1 us to 20 ms: counted or an error, no hang": deadlines_that_are_nearly_over,
    "ordinary metadata is passed over": metadata_is_passed_over,
    "metadata of 17,000 bytes and 64 KiB is refused": long_metadata_is_refused,
    "unknown methods and services: UNIMPLEMENTED": what_does_not_exist_is_unimplemented,
    "health: Check and Watch": health_tells_what_is_served,
    "reflection, v1 and v1alpha: CounterService, not tracker.v1": reflection_lists_what_is_public,
    "keepalive pings while a call is open": keepalive_with_a_call,
    "keepalive pings without calls since the beginning": keepalive_without_calls,
}


def judge(what, check):
    """Prints a line, and answers whether it is good."""
    try:
        told = check()
    except Unexpected as unexpected:
        why = str(unexpected)
    except grpc.RpcError as error:
        why = f"{error.code().name}: {error.details()}"
    else:
        print(f"ok {what}" + (f" ({told})" if told else ""), flush=True)
        return True
    print(f"FAILED {what}: {why[:500]}", flush=True)
    return False


def connect(address, options=()):
    host, port = address.rsplit(":", 1)
    relay = Relay((host, int(port)))
    client = Client(relay.port, options)
    client.relay = relay
    return client


def keep_rules(address):
    idle = connect(address, keepalive)
    idle.mint()

    def on_one_connection(check):
        client = idle if check == keepalive_without_calls else connect(address, keepalive)
        with contextlib.closing(client.channel):
            check_told = check(client)
        expect_equal((client.relay.connections, client.relay.goaways), (1, 0), "connections and GOAWAYs")
        return check_told

    # All of them, also after one has failed.
    return all([judge(what, lambda: on_one_connection(check)) for what, check in rules.items()])


def end(address, pid, file):
    client = Client(address.rsplit(":", 1)[1])
    token = client.mint()
    outcomes = []

    def call_until_one_fails():
        while True:
            outcomes.append(outcome(client.start(token, "/end")))
            if outcomes[-1][0] != code.OK:
                return

    def check():
        callers = [threading.Thread(target=call_until_one_fails) for _ in range(64)]
        for caller in callers:
            caller.start()
        wait_until(lambda: len(outcomes) > 500, "500 calls have ended")
        os.kill(int(pid), signal.SIGTERM)
        for caller in callers:
            caller.join()
        expect({o[0] for o in outcomes} <= {code.OK, code.UNAVAILABLE}, codes(outcomes))
        counts = [o[2] for o in outcomes if o[0] == code.OK]
        expect_equal(len(set(counts)), len(counts), "different counts")
        pathlib.Path(file).write_text(f"{token} {len(counts)} {sum(map(is_perhaps_counted, outcomes))}\n")
        return codes(outcomes)

    return judge("SIGTERM while 64 calls run: each is OK or UNAVAILABLE", check)


def ended(address, file):
    def check():
        token, ok, perhaps = pathlib.Path(file).read_text().split()
        counted = Client(address.rsplit(":", 1)[1]).count(token, "/end") - 1
        expect(int(ok) <= counted <= int(ok) + int(perhaps), f"counted {counted}, with {ok} OK and {perhaps} perhaps")
        return f"counted {counted}, with {ok} OK and {perhaps} perhaps"

    return judge("the count after SIGTERM is that of the answers", check)


modes = {"rules": keep_rules, "end": end, "ended": ended}
if len(sys.argv) < 3 or sys.argv[1] not in modes:
    sys.exit(__doc__)
if sys.argv[1] == "rules":
    print(f"Python {sys.version.split()[0]}, grpcio {grpc.__version__}", flush=True)
sys.exit(0 if modes[sys.argv[1]](*sys.argv[2:]) else 1)
