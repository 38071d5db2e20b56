"""google.api_core.operation: Operation, by its three constructors."""

import time

import check
import grpc
from google.api_core import exceptions, operation, operations_v1
from google.api_core.future import polling
from google.longrunning import operations_pb2, operations_pb2_grpc
from google.protobuf import json_format
from starters import GrpcStarter, RestStarter

from example.library.v1 import library_pb2, library_pb2_grpc
from lro.v1 import kinds_pb2, metadata_pb2

POLLING = polling.DEFAULT_POLLING.with_delay(
    initial=check.POLL_EVERY, maximum=check.POLL_EVERY
)


class Scenarios:
    """What every Operation can do. Subclasses make one in future."""

    def run(self, scenario):
        getattr(self, scenario)()

    def start(self):
        started = self.starter.start(check.simulate(self.parent, takes=60))
        check.check_started(started, self.parent)
        future = self.future(started)
        assert future.operation == started, future.operation
        check.check_metadata_type(future.metadata)

    def success(self):
        request = check.simulate(self.parent, takes=1, echo="hello")
        check.check_echo(self.future(self.starter.start(request)).result())

    def metadata(self):
        request = check.simulate(self.parent, takes=4, steps=40)
        future = self.future(self.starter.start(request))
        seen = []
        while not future.done():
            seen.append(future.metadata)
            time.sleep(check.POLL_EVERY)
        check.check_progress([*seen, future.metadata])

    def failure(self):
        request = check.simulate(self.parent, takes=1, error=check.quota_error())
        error = self.future(self.starter.start(request)).exception()
        assert isinstance(error, exceptions.ResourceExhausted), repr(error)
        assert error.message == "no quota left", error.message
        # .details is for errors of calls; those of operations are here.
        check.check_quota(error.errors[0])

    def cancel(self):
        future = self.future(self.starter.start(check.simulate(self.parent, takes=3600)))
        assert future.cancel(), "cancel says that the operation is done"
        error = future.exception()
        assert isinstance(error, exceptions.Cancelled), repr(error)
        assert future.cancelled(), future.operation

    def unknown(self):
        none = operations_pb2.Operation(name=check.below(self.parent, "operations/none"))
        try:
            self.future(none).done()
        except exceptions.NotFound:
            return
        raise AssertionError("done does not say that there is no such operation")


class FromGapic(Scenarios):
    def __init__(self, addr, library_addr, parent):
        self.parent = parent
        self.starter = GrpcStarter(addr)
        self._library = grpc.insecure_channel(library_addr)
        self._operations = operations_v1.OperationsClient(self.starter.channel)

    def future(self, started):
        return operation.from_gapic(
            started,
            self._operations,
            kinds_pb2.SimulateResponse,
            metadata_type=metadata_pb2.OperationMetadata,
            polling=POLLING,
        )

    def library(self):
        stub = library_pb2_grpc.LibraryStub(self._library)
        request = library_pb2.ExportBooksRequest(parent="publishers/acme")
        future = operation.from_gapic(
            stub.ExportBooks(request),
            operations_v1.OperationsClient(self._library),
            library_pb2.ExportBooksResponse,
            metadata_type=library_pb2.ExportBooksMetadata,
            polling=POLLING,
        )
        check.check_export(future.result(), future.metadata)


class FromGrpc(Scenarios):
    def __init__(self, addr, library_addr, parent):
        self.parent = parent
        self.starter = GrpcStarter(addr)
        self._stub = operations_pb2_grpc.OperationsStub(self.starter.channel)

    def future(self, started):
        return operation.from_grpc(
            started,
            self._stub,
            kinds_pb2.SimulateResponse,
            metadata_type=metadata_pb2.OperationMetadata,
            polling=POLLING,
        )


class FromHttpJson(Scenarios):
    def __init__(self, addr, library_addr, parent):
        self.parent = parent
        self.starter = RestStarter(addr)

    def future(self, started):
        return operation.from_http_json(
            json_format.MessageToDict(started),
            self._api_request,
            kinds_pb2.SimulateResponse,
            metadata_type=metadata_pb2.OperationMetadata,
            polling=POLLING,
        )

    def _api_request(self, method, path):
        # The future asks for operations/NAME, from the days when a name was the
        # last segment alone.
        return self.starter.api_request(method, path.removeprefix("operations/"))
