"""The ways in which google-api-core makes a future of an operation."""

import asyncio

import grpc
import requests
from google.api_core import exceptions, extended_operation, operation, operation_async, operations_v1
from google.api_core import retry as retries
from google.api_core.future import async_future, polling
from google.api_core.operations_v1.transports.rest import OperationsRestTransport
from google.auth.credentials import AnonymousCredentials
from google.longrunning import operations_pb2, operations_pb2_grpc

import messages


def classes(codes):
    """Returns the exceptions of canonical codes."""
    found = [exceptions.exception_class_for_grpc_status(getattr(grpc.StatusCode, c)) for c in codes]
    return retries.if_exception_type(*found)


def retry(written):
    """Makes a Retry of a step's field retry."""
    return retries.Retry(
        predicate=classes(written["on"]),
        initial=messages.seconds(written["initial"]),
        maximum=messages.seconds(written["max"]),
        timeout=messages.seconds(written["timeout"]),
    )


class Way:
    """Makes the future of a scenario in one way, and closes what it needs."""

    asynchronous = False

    def __init__(self, scenario, job):
        self.scenario = scenario
        self.job = job
        self.caller = scenario["caller"]
        given = self.caller.get("grpc_metadata")
        self.grpc_metadata = None
        if given:
            pairs = [tuple(p) for p in given["pairs"]]
            self.grpc_metadata = tuple(pairs) if given.get("tuple") else pairs

    def operation(self):
        return messages.operation(self.scenario["operation"])

    def types(self):
        return {
            "result_type": messages.message_type(self.caller["response"]),
            "metadata_type": messages.message_type(self.caller.get("metadata")),
        }

    def delays(self):
        poll = self.caller["poll"]
        return {
            "initial": messages.seconds(poll["initial"]),
            "maximum": messages.seconds(poll["max"]),
            "multiplier": poll["multiplier"],
        }

    def polling(self):
        on = self.caller["poll"].get("on")
        if on is not None:
            return retries.Retry(predicate=classes(on), **self.delays())
        return polling.DEFAULT_POLLING.with_delay(**self.delays())

    def open(self):
        raise NotImplementedError

    def list(self, maximum):
        """Returns the names of operations; None where this way has no client."""
        return None

    async def close(self):
        pass


class FromGapic(Way):
    def __init__(self, scenario, job):
        super().__init__(scenario, job)
        self.channel = grpc.insecure_channel(job["grpc"])
        self.client = operations_v1.OperationsClient(self.channel)

    def open(self):
        return operation.from_gapic(
            self.operation(), self.client, grpc_metadata=self.grpc_metadata, polling=self.polling(), **self.types()
        )

    def list(self, maximum):
        iterator = self.client.list_operations("projects/p", "")
        iterator.max_results = maximum
        return [op.name for op in iterator]

    async def close(self):
        self.channel.close()


class FromGapicREST(Way):
    def __init__(self, scenario, job):
        super().__init__(scenario, job)
        transport = OperationsRestTransport(host=job["http"], credentials=AnonymousCredentials())
        self.client = operations_v1.AbstractOperationsClient(transport=transport)

    def open(self):
        return operation.from_gapic(
            self.operation(), self.client, grpc_metadata=self.grpc_metadata, polling=self.polling(), **self.types()
        )


class FromGRPC(Way):
    def __init__(self, scenario, job):
        super().__init__(scenario, job)
        self.channel = grpc.insecure_channel(job["grpc"])

    def open(self):
        stub = operations_pb2_grpc.OperationsStub(self.channel)
        return operation.from_grpc(
            self.operation(), stub, grpc_metadata=self.grpc_metadata, polling=self.polling(), **self.types()
        )

    async def close(self):
        self.channel.close()


class FromHTTPJSON(Way):
    """The future makes up a path; api_request is what a service's client adds."""

    def open(self):
        return operation.from_http_json(
            self.scenario["operation"], self.api_request, polling=self.polling(), **self.types()
        )

    def api_request(self, method, path):
        prefix = self.caller.get("http_json", {}).get("remove_prefix", "operations/")
        response = requests.request(method, f"{self.job['http']}/v1/{path.removeprefix(prefix)}", timeout=60)
        if not 200 <= response.status_code < 300:
            raise exceptions.from_http_response(response)
        return response.json()


class Extended(Way):
    """The future of Compute Engine, as google-cloud-compute makes it."""

    class Operation(extended_operation.ExtendedOperation):
        @property
        def error_message(self):
            return self._extended_operation.http_error_message

        @property
        def error_code(self):
            return self._extended_operation.http_error_status_code

    def open(self):
        name = self.scenario["operation"]["name"]

        def refresh(**kwargs):
            response = requests.get(f"{self.job['http']}/v1/{name}", timeout=60)
            if not 200 <= response.status_code < 300:
                raise exceptions.from_http_response(response)
            return messages.Extended(response.json())

        first = messages.Extended({"name": name.rsplit("/", 1)[1], "status": "RUNNING"})
        return self.Operation.make(refresh, lambda **kwargs: None, first, polling=self.polling())


class Asyncio(Way):
    asynchronous = True

    def __init__(self, scenario, job):
        super().__init__(scenario, job)
        self.channel = grpc.aio.insecure_channel(job["grpc"])
        self.client = operations_v1.OperationsAsyncClient(self.channel)

    def open(self):
        return operation_async.from_gapic(
            self.operation(), self.client, grpc_metadata=self.grpc_metadata,
            retry=async_future.DEFAULT_RETRY.with_delay(**self.delays()), **self.types()
        )

    async def close(self):
        await self.channel.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()


WAYS = {
    "python/from_gapic": FromGapic,
    "python/from_gapic_rest": FromGapicREST,
    "python/from_grpc": FromGRPC,
    "python/from_http_json": FromHTTPJSON,
    "python/asyncio": Asyncio,
    "python/extended": Extended,
}
