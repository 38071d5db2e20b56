"""google.api_core.operations_v1: the clients that block."""

import time

import check
from google.api_core import exceptions, operations_v1
from google.auth import credentials
from google.rpc import code_pb2
from starters import GrpcStarter, RestStarter

from lro.v1 import kinds_pb2


class Scenarios:
    """What both clients can do."""

    def run(self, scenario):
        getattr(self, scenario)()

    def start(self):
        started = self.starter.start(check.simulate(self.parent, takes=60))
        check.check_started(self.client.get_operation(started.name), self.parent)

    def success(self):
        done = self.finish(check.simulate(self.parent, takes=1, echo="hello"))
        check.check_echo(check.unpack(done.response, kinds_pb2.SimulateResponse))

    def failure(self):
        done = self.finish(
            check.simulate(self.parent, takes=1, error=check.quota_error())
        )
        check.check_quota(done.error)

    def cancel(self):
        started = self.starter.start(check.simulate(self.parent, takes=3600))
        self.client.cancel_operation(started.name)
        done = self.poll(started.name)
        assert done.error.code == code_pb2.CANCELLED, done

    def delete(self):
        name = self.finish(check.simulate(self.parent)).name
        self.client.delete_operation(name)
        self.is_unknown(name)

    def unknown(self):
        self.is_unknown(check.below(self.parent, "operations/none"))

    def list(self):
        running = {self.start_listed(takes=3600) for _ in range(2)}
        done = {self.start_listed() for _ in range(60)}
        for name in done:
            self.poll(name)
        pages = self.pages("done = true")
        assert len(pages) == self.pages_of_60, [len(page) for page in pages]
        assert {op.name for page in pages for op in page} == done, pages
        pages = self.pages("done = false")
        assert {op.name for page in pages for op in page} == running, pages

    def start_listed(self, **kwargs):
        return self.starter.start(check.simulate(check.LISTED, **kwargs)).name

    def finish(self, request):
        return self.poll(self.starter.start(request).name)

    def poll(self, name):
        while not (operation := self.client.get_operation(name)).done:
            time.sleep(check.POLL_EVERY)
        return operation

    def is_unknown(self, name):
        try:
            self.client.get_operation(name)
        except exceptions.NotFound:
            return
        raise AssertionError("get does not say that there is no such operation")


class Grpc(Scenarios):
    pages_of_60 = 2  # it cannot ask for a page size, and the server's is 50

    def __init__(self, addr, library_addr, parent):
        self.parent = parent
        self.starter = GrpcStarter(addr)
        self.client = operations_v1.OperationsClient(self.starter.channel)

    def pages(self, filter_):
        operations = self.client.list_operations(check.LISTED, filter_)
        return [list(page) for page in operations.pages]


class Rest(Scenarios):
    pages_of_60 = 3

    def __init__(self, addr, library_addr, parent):
        self.parent = parent
        self.starter = RestStarter(addr)
        transport = operations_v1.OperationsRestTransport(
            host=f"http://{addr}",  # url_scheme does not help
            credentials=credentials.AnonymousCredentials(),
        )
        self.client = operations_v1.AbstractOperationsClient(transport=transport)

    def pages(self, filter_):
        operations = self.client.list_operations(
            check.LISTED, filter_, page_size=check.PAGE_SIZE
        )
        return [page.operations for page in operations.pages]
