"""Waits with google-api-core; ../gopeer/doc.go tells the flags and the output.

Variants: threads, a thread for each operation that blocks in
google.api_core.operation.Operation.result(), and asyncio, a task for each that
awaits google.api_core.operation_async.AsyncOperation.result().
"""

import argparse
import asyncio
import json
import os
import sys
import threading
import time

import grpc
from google.api_core import operation, operation_async, operations_v1
from google.longrunning import operations_pb2, operations_pb2_grpc
from google.protobuf import wrappers_pb2

CALLS = 200  # in each round of mode poll

printing = threading.Lock()


def emit(**line):
    with printing:
        print(json.dumps(line), flush=True)


def message(error):
    # The str of an error of google-api-core has its message.
    return f"{type(error).__name__}: {error}"


def end_with_input():
    sys.stdin.read()
    os._exit(0)  # threads that wait are not asked


def start_callable(channel):
    return channel.unary_unary(
        "/bench.Scripted/Start",
        request_serializer=wrappers_pb2.StringValue.SerializeToString,
        response_deserializer=operations_pb2.Operation.FromString,
    )


def names(flags):
    for i in range(flags.n):
        yield operations_pb2.Operation(name=flags.names.replace("{}", str(i), 1))


# Threads.


def future(flags, client, started):
    return operation.from_gapic(
        started, client, wrappers_pb2.StringValue, metadata_type=wrappers_pb2.BytesValue
    )


def wait_in_thread(flags, client, started):
    try:
        response = future(flags, client, started).result(flags.deadline or None)
        emit(name=started.name, at=time.monotonic_ns(), response=response.value)
    except Exception as e:
        emit(name=started.name, at=time.monotonic_ns(), error=message(e))


def threads(flags):
    channel = grpc.insecure_channel(flags.target)
    client = operations_v1.OperationsClient(channel)
    waiting = []

    def wait(started):
        thread = threading.Thread(target=wait_in_thread, args=(flags, client, started), daemon=True)
        thread.start()
        waiting.append(thread)

    if flags.mode == "hold":
        for op in names(flags):
            wait(op)
    else:
        start = start_callable(channel)
        begin = time.monotonic()
        for i in range(flags.n):
            time.sleep(max(0, begin + flags.spread * i / flags.n - time.monotonic()))
            wait(start(wrappers_pb2.StringValue(value=f"{flags.spec}&index={i}")))
    emit(ready=flags.n)
    for thread in waiting:
        thread.join()


def poll(flags):
    channel = grpc.insecure_channel(flags.target)
    client = operations_v1.OperationsClient(channel)
    stub = operations_pb2_grpc.OperationsStub(channel)
    op = next(names(flags))
    asked = future(flags, client, op)

    def bare():
        stub.GetOperation(operations_pb2.GetOperationRequest(name=op.name))

    took = {"stub": [], "poll": [], "control": []}
    for i in range(flags.n + 1):
        for name, call in ("stub", bare), ("poll", asked.done), ("control", bare):
            begin = time.perf_counter_ns()
            for _ in range(CALLS):
                call()
            if i > 0:  # the first one connects
                took[name].append((time.perf_counter_ns() - begin) / CALLS)
    emit(**took)


# asyncio.


async def wait_in_task(flags, client, started):
    try:
        op = operation_async.from_gapic(
            started, client, wrappers_pb2.StringValue, metadata_type=wrappers_pb2.BytesValue
        )
        response = await op.result(flags.deadline or None)
        emit(name=started.name, at=time.monotonic_ns(), response=response.value)
    except Exception as e:
        emit(name=started.name, at=time.monotonic_ns(), error=message(e))


async def tasks(flags):
    async with grpc.aio.insecure_channel(flags.target) as channel:
        client = operations_v1.OperationsAsyncClient(channel)
        waiting = []
        if flags.mode == "hold":
            for op in names(flags):
                waiting.append(asyncio.create_task(wait_in_task(flags, client, op)))
        else:
            start = start_callable(channel)
            begin = time.monotonic()
            for i in range(flags.n):
                await asyncio.sleep(max(0, begin + flags.spread * i / flags.n - time.monotonic()))
                started = await start(wrappers_pb2.StringValue(value=f"{flags.spec}&index={i}"))
                waiting.append(asyncio.create_task(wait_in_task(flags, client, started)))
        emit(ready=flags.n)
        await asyncio.gather(*waiting)


def main():
    # As the other peers write them: -flag value.
    parser = argparse.ArgumentParser()
    for name in "target", "client", "mode", "spec", "names":
        parser.add_argument("-" + name, default="")
    parser.add_argument("-n", type=int, default=1)
    parser.add_argument("-spread", type=float, default=0)
    parser.add_argument("-deadline", type=float, default=0)
    flags = parser.parse_args()
    threading.Thread(target=end_with_input, daemon=True).start()
    if flags.mode == "poll":
        poll(flags)
    elif flags.client == "asyncio":
        asyncio.run(tasks(flags))
    else:
        threads(flags)
    sys.stdout.flush()
    os._exit(0)  # the thread that reads the input cannot be joined


if __name__ == "__main__":
    main()
