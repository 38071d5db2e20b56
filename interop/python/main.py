"""The Python columns of the matrix: google-api-core's futures and clients.

    main.py CLIENT ADDR LIBRARY-ADDR PARENT SCENARIO...

prints a line of JSON for each scenario.
"""

import json
import platform
import sys
from importlib import metadata

import aio
import clients
import futures

CLIENTS = {
    "from_gapic": futures.FromGapic,
    "from_grpc": futures.FromGrpc,
    "from_http_json": futures.FromHttpJson,
    "operation_async": aio.OperationAsync,
    "OperationsClient": clients.Grpc,
    "AbstractOperationsClient": clients.Rest,
    "OperationsAsyncClient": aio.Grpc,
    "AsyncOperationsRestClient": aio.Rest,
}


def main(name, addr, library_addr, parent, *scenarios):
    client = CLIENTS[name](addr, library_addr, parent)
    print(json.dumps({"versions": versions()}), flush=True)
    for scenario in scenarios:
        line = {"scenario": scenario}
        try:
            client.run(scenario)
            line["ok"] = True
        except Exception as e:  # any of them is the result of this scenario
            line["error"] = f"{type(e).__name__}: {e}"
        print(json.dumps(line), flush=True)


def versions():
    packages = ["google-api-core", "googleapis-common-protos", "grpcio", "protobuf"]
    return ", ".join(
        [f"Python {platform.python_version()}"]
        + [f"{package} {metadata.version(package)}" for package in packages]
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
