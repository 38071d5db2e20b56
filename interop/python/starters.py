"""Starting operations, over gRPC and HTTP/JSON."""

import grpc
import requests
from google.api_core import exceptions
from google.longrunning import operations_pb2
from google.protobuf import json_format

from lro.v1 import starter_pb2_grpc


class GrpcStarter:
    def __init__(self, addr):
        self.channel = grpc.insecure_channel(addr)
        self._stub = starter_pb2_grpc.StarterStub(self.channel)

    def start(self, request):
        return self._stub.StartOperation(request)


class RestStarter:
    def __init__(self, addr):
        self.url = f"http://{addr}/v1/"
        self._session = requests.Session()

    def start(self, request):
        operation = operations_pb2.Operation()
        return json_format.ParseDict(self.start_json(request), operation)

    def start_json(self, request):
        collection = f"{request.parent}/operations" if request.parent else "operations"
        body = json_format.MessageToDict(request)
        return self.api_request("POST", f"{collection}:start", json=body)

    def api_request(self, method, path, **kwargs):
        """Like that of google-cloud-core's connections."""
        response = self._session.request(method, self.url + path, **kwargs)
        if not response.ok:
            raise exceptions.from_http_response(response)
        return response.json()
