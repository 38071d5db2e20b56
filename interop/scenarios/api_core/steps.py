"""What callers do with a future, and what comes of it."""

import asyncio
import base64
import concurrent.futures
import inspect
import threading
import time

from google.api_core import exceptions
from google.longrunning import operations_pb2
from google.protobuf import message as protobuf_message
from google.protobuf.message import Message

import messages
import ways


def value(v):
    """Returns the outcome of a value."""
    return {"outcome": "value", "value": messages.plain(v) if isinstance(v, Message) else v}


def code_name(e):
    code = e.grpc_status_code
    return getattr(code, "name", None if code is None else str(code))


def failure(e):
    """Returns the outcome of an exception."""
    if isinstance(e, (concurrent.futures.TimeoutError, asyncio.TimeoutError)):
        return {"outcome": "timeout"}
    if isinstance(e, exceptions.GoogleAPICallError):
        if isinstance(e.response, (operations_pb2.Operation, messages.Extended)):
            return {
                "outcome": "operation_error",
                "code": code_name(e),
                "message": e.message,
                "details": [messages.detail(d) for d in e.details],
            }
        if e.response is None and not e.errors:
            return {"outcome": "no_result"}  # neither a call nor the operation failed
        return {"outcome": "call_error", "code": code_name(e), "message": e.message}
    if isinstance(e, TypeError) and "Could not convert" in str(e):
        return {"outcome": "unreadable"}
    return {"outcome": "crash", "type": type(e).__name__}


class Callback:
    """A registered function, and what it was given."""

    def __init__(self, future, takes):
        self.future = future
        self.takes = takes
        self.given = []
        self.argument = None
        self.called = threading.Event()

    def __call__(self, argument):
        self.argument = "future" if argument is self.future else "other"
        try:
            # The future is done, so its result is there without waiting.
            self.given.append(value(argument.result()))
        except Exception as e:
            self.given.append(failure(e))
        self.called.set()
        time.sleep(self.takes)

    async def wait(self, asynchronous, limit):
        end = time.monotonic() + limit
        if not asynchronous:
            self.called.wait(limit)
        while not self.called.is_set() and time.monotonic() < end:
            await asyncio.sleep(0.01)


class AsyncCallback(Callback):
    """AsyncOperation.result is a coroutine, which a callback cannot await."""

    def __call__(self, argument):
        if argument is self.future:
            argument = self.future._future
        super().__call__(argument)


class Caller:
    """Runs the steps of a scenario with one future."""

    def __init__(self, scenario, way, future):
        self.scenario = scenario
        self.way = way
        self.future = future
        self.callbacks = {}

    async def do(self, step):
        begin = time.monotonic()
        try:
            outcome = await getattr(self, "do_" + step["do"])(step)
        except Exception as e:  # what the caller would see
            outcome = failure(e)
        outcome["elapsed"] = time.monotonic() - begin
        return outcome

    async def ask(self, method, *args, **kwargs):
        """Calls a method of the future, a coroutine or not."""
        answer = method(*args, **kwargs)
        return await answer if inspect.isawaitable(answer) else answer

    def waiting(self, step):
        """Returns the arguments of result."""
        args = {}
        if "timeout" in step:
            args["timeout"] = messages.seconds(step["timeout"])
        if "retry" in step and not self.way.asynchronous:
            args["retry"] = ways.retry(step["retry"])
        return args

    async def do_result(self, step):
        return value(await self.ask(self.future.result, **self.waiting(step)))

    async def do_exception(self, step):
        e = await self.ask(self.future.exception, **self.waiting(step))
        return {"outcome": "none"} if e is None else failure(e)

    async def do_results(self, step):
        waiters = range(step["waiters"])
        if self.way.asynchronous:
            return {"outcome": "all", "results": await asyncio.gather(*(self.one(step) for _ in waiters))}
        with concurrent.futures.ThreadPoolExecutor(len(waiters)) as pool:
            done = [pool.submit(lambda: asyncio.run(self.one(step))) for _ in waiters]
            return {"outcome": "all", "results": [d.result() for d in done]}

    async def one(self, step):
        try:
            return await self.do_result(step)
        except Exception as e:
            return failure(e)

    async def do_done(self, step):
        return value(await self.ask(self.future.done))

    async def do_running(self, step):
        return value(await self.ask(self.future.running))

    async def do_cancelled(self, step):
        return value(await self.ask(self.future.cancelled))

    async def do_cancel(self, step):
        return value(await self.ask(self.future.cancel))

    async def do_metadata(self, step):
        metadata = self.future.metadata
        return {"outcome": "none"} if metadata is None else value(metadata)

    async def do_name(self, step):
        return value(self.future.operation.name)

    async def do_operation(self, step):
        return value(self.future.operation)

    async def do_on_done(self, step):
        kind = AsyncCallback if self.way.asynchronous else Callback
        callback = kind(self.future, messages.seconds(step.get("takes", "0s")))
        self.callbacks[step["as"]] = callback
        self.future.add_done_callback(callback)
        return {"outcome": "registered"}

    async def do_callback(self, step):
        callback = self.callbacks[step["of"]]
        await callback.wait(self.way.asynchronous, messages.seconds(step["within"]))
        if not callback.given:
            return {"outcome": "not_called"}
        return {
            "outcome": "called",
            "times": len(callback.given),
            "argument": callback.argument,
            "given": callback.given[0],
        }

    async def do_set_result(self, step):
        self.future.set_result(messages.message_type(self.scenario["caller"]["response"])(**step["value"]))
        return {"outcome": "set"}

    async def do_deserialize(self, step):
        try:
            made = self.future.deserialize(base64.b64decode(step["bytes"]))
        except protobuf_message.DecodeError:
            return {"outcome": "undecodable"}
        kind = "future" if hasattr(made, "result") else "message"
        return {"outcome": kind, "name": made.name}

    async def do_list(self, step):
        names = self.way.list(step["max"])
        return {"outcome": "absent"} if names is None else value(names)

    async def do_grpc_metadata(self, step):
        return value([list(pair) for pair in self.way.grpc_metadata])

    async def do_absent(self, step):
        return {"outcome": "absent"}

    do_delete = do_progress = do_resume = do_absent
