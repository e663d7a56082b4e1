"""Gets a token and counts three requests: count.py [HOST:PORT]"""

import sys

import grpc
from google.protobuf import empty_pb2

import manager_rpc_pb2
import manager_rpc_pb2_grpc

address = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:6381"

# Proxies of the environment are for the web.
with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
    counter = manager_rpc_pb2_grpc.CounterServiceStub(channel)
    try:
        token = counter.NewToken(empty_pb2.Empty(), timeout=2).token
        print("token", token)
        for _ in range(3):
            request = manager_rpc_pb2.UpdateCounterRequest(token=token, path="/my/path")
            answer = counter.UpdateCounter(request, timeout=2)
            print("count", answer.counter if answer.success else "none: the token is unknown")
    except grpc.RpcError as error:
        sys.exit(f"{error.code().name}: {error.details()}")
