"""google.api_core.operation_async, and the clients of operations_v1 for asyncio.

The operations are started without asyncio: that is not what is looked at.
"""

import asyncio
import contextlib

import check
import grpc
from google.api_core import exceptions, operation_async, operations_v1
from google.api_core.future import async_future
from google.auth.aio import credentials
from google.longrunning import operations_pb2
from google.rpc import code_pb2
from starters import GrpcStarter, RestStarter

from example.library.v1 import library_pb2, library_pb2_grpc
from lro.v1 import kinds_pb2, metadata_pb2

RETRY = async_future.DEFAULT_RETRY.with_delay(
    initial=check.POLL_EVERY, maximum=check.POLL_EVERY
)


class Scenarios:
    """Runs a scenario in an event loop of its own, with self.client."""

    def run(self, scenario):
        asyncio.run(self._run(scenario))

    async def _run(self, scenario):
        async with self.connect() as self.client:
            await getattr(self, scenario)()


@contextlib.asynccontextmanager
async def grpc_client(addr):
    async with grpc.aio.insecure_channel(addr) as channel:
        yield operations_v1.OperationsAsyncClient(channel)


class OperationAsync(Scenarios):
    def __init__(self, addr, library_addr, parent):
        self.parent = parent
        self.starter = GrpcStarter(addr)
        self.connect = lambda: grpc_client(addr)
        self._library_addr = library_addr

    def future(self, started):
        return operation_async.from_gapic(
            started,
            self.client,
            kinds_pb2.SimulateResponse,
            metadata_type=metadata_pb2.OperationMetadata,
            retry=RETRY,
        )

    async def start(self):
        started = self.starter.start(check.simulate(self.parent, takes=60))
        check.check_started(started, self.parent)
        future = self.future(started)
        assert future.operation == started, future.operation
        check.check_metadata_type(future.metadata)

    async def success(self):
        request = check.simulate(self.parent, takes=1, echo="hello")
        check.check_echo(await self.future(self.starter.start(request)).result())

    async def metadata(self):
        request = check.simulate(self.parent, takes=4, steps=40)
        future = self.future(self.starter.start(request))
        seen = []
        while not await future.done():
            seen.append(future.metadata)
            await asyncio.sleep(check.POLL_EVERY)
        check.check_progress([*seen, future.metadata])

    async def failure(self):
        request = check.simulate(self.parent, takes=1, error=check.quota_error())
        error = await self.future(self.starter.start(request)).exception()
        assert error.message == "no quota left", error.message
        check.check_quota(error.errors[0])
        assert isinstance(error, exceptions.ResourceExhausted), repr(error)

    async def cancel(self):
        future = self.future(self.starter.start(check.simulate(self.parent, takes=3600)))
        assert await future.cancel(), "cancel says that the operation is done"
        error = await future.exception()
        assert await future.cancelled(), future.operation
        assert isinstance(error, exceptions.Cancelled), repr(error)

    async def unknown(self):
        none = operations_pb2.Operation(name=check.below(self.parent, "operations/none"))
        try:
            await self.future(none).done()
        except exceptions.NotFound:
            return
        raise AssertionError("done does not say that there is no such operation")

    async def library(self):
        async with grpc.aio.insecure_channel(self._library_addr) as channel:
            stub = library_pb2_grpc.LibraryStub(channel)
            request = library_pb2.ExportBooksRequest(parent="publishers/acme")
            future = operation_async.from_gapic(
                await stub.ExportBooks(request),
                operations_v1.OperationsAsyncClient(channel),
                library_pb2.ExportBooksResponse,
                metadata_type=library_pb2.ExportBooksMetadata,
                retry=RETRY,
            )
            check.check_export(await future.result(), future.metadata)


class ClientScenarios(Scenarios):
    """What both clients can do."""

    async def start(self):
        started = self.starter.start(check.simulate(self.parent, takes=60))
        check.check_started(await self.client.get_operation(started.name), self.parent)

    async def success(self):
        done = await self.finish(check.simulate(self.parent, takes=1, echo="hello"))
        check.check_echo(check.unpack(done.response, kinds_pb2.SimulateResponse))

    async def failure(self):
        done = await self.finish(
            check.simulate(self.parent, takes=1, error=check.quota_error())
        )
        check.check_quota(done.error)

    async def cancel(self):
        started = self.starter.start(check.simulate(self.parent, takes=3600))
        await self.client.cancel_operation(started.name)
        done = await self.poll(started.name)
        assert done.error.code == code_pb2.CANCELLED, done

    async def delete(self):
        name = (await self.finish(check.simulate(self.parent))).name
        await self.client.delete_operation(name)
        await self.is_unknown(name)

    async def unknown(self):
        await self.is_unknown(check.below(self.parent, "operations/none"))

    async def list(self):
        running = {self.start_listed(takes=3600) for _ in range(2)}
        done = {self.start_listed() for _ in range(60)}
        for name in done:
            await self.poll(name)
        pages = await self.pages("done = true")
        assert len(pages) == self.pages_of_60, [len(page) for page in pages]
        assert {op.name for page in pages for op in page} == done, pages
        pages = await self.pages("done = false")
        assert {op.name for page in pages for op in page} == running, pages

    def start_listed(self, **kwargs):
        return self.starter.start(check.simulate(check.LISTED, **kwargs)).name

    async def finish(self, request):
        return await self.poll(self.starter.start(request).name)

    async def poll(self, name):
        while not (operation := await self.client.get_operation(name)).done:
            await asyncio.sleep(check.POLL_EVERY)
        return operation

    async def is_unknown(self, name):
        try:
            await self.client.get_operation(name)
        except exceptions.NotFound:
            return
        raise AssertionError("get does not say that there is no such operation")


class Grpc(ClientScenarios):
    pages_of_60 = 2  # it cannot ask for a page size, and the server's is 50

    def __init__(self, addr, library_addr, parent):
        self.parent = parent
        self.starter = GrpcStarter(addr)
        self.connect = lambda: grpc_client(addr)

    async def pages(self, filter_):
        operations = await self.client.list_operations(check.LISTED, filter_)
        return [list(page) async for page in operations.pages]


class Rest(ClientScenarios):
    pages_of_60 = 3

    def __init__(self, addr, library_addr, parent):
        self.parent = parent
        self.starter = RestStarter(addr)
        self._addr = addr

    @contextlib.asynccontextmanager
    async def connect(self):
        transport = operations_v1.AsyncOperationsRestTransport(
            host=f"http://{self._addr}",  # url_scheme does not help
            credentials=credentials.AnonymousCredentials(),
        )
        yield operations_v1.AsyncOperationsRestClient(transport=transport)
        await transport._session.close()  # transport.close is not implemented

    async def pages(self, filter_):
        operations = await self.client.list_operations(
            check.LISTED, filter_, page_size=check.PAGE_SIZE
        )
        return [page.operations async for page in operations.pages]
