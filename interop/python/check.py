"""What the scenarios start, and what they check, whatever the client."""

import time

from google.longrunning import operations_pb2
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2

from lro.v1 import kinds_pb2, metadata_pb2, starter_pb2

# Futures poll seconds apart by default; the matrix is to be quick.
POLL_EVERY = 0.1

LISTED = "projects/listed"
PAGE_SIZE = 25

def pack(message):
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed

def simulate(parent="", takes=0.0, **fields):
    """A request for an operation that takes so many seconds."""
    request = kinds_pb2.SimulateRequest(**fields)
    request.duration.FromNanoseconds(int(takes * 1e9))
    return starter_pb2.StartOperationRequest(
        parent=parent, kind="simulate", request=pack(request)
    )

def quota_error():
    """What the operations of the scenario failure end with."""
    detail = error_details_pb2.ErrorInfo(
        reason="QUOTA", domain="lro.example", metadata={"limit": "7"}
    )
    return status_pb2.Status(
        code=code_pb2.RESOURCE_EXHAUSTED,
        message="no quota left",
        details=[pack(detail)],
    )

def check_started(operation, parent):
    assert isinstance(operation, operations_pb2.Operation), operation
    prefix = below(parent, "operations/")
    assert operation.name.startswith(prefix), f"{operation.name}, want {prefix}..."
    assert not operation.done, operation
    check_metadata_type(unpack(operation.metadata, metadata_pb2.OperationMetadata))

def check_metadata_type(metadata):
    assert isinstance(metadata, metadata_pb2.OperationMetadata), metadata
    assert metadata.verb == "simulate", metadata
    assert metadata.HasField("create_time"), metadata

def check_echo(response):
    assert isinstance(response, kinds_pb2.SimulateResponse), response
    assert response.echo == "hello", response
    assert response.attempts == 1, response

def check_quota(status):
    assert status == quota_error(), status
    info = unpack(status.details[0], error_details_pb2.ErrorInfo)
    assert info.reason == "QUOTA" and info.metadata["limit"] == "7", info

def check_progress(seen):
    """seen is the metadata, in the order in which the client showed it."""
    assert any(
        m.state == metadata_pb2.OperationMetadata.RUNNING
        and 0 < m.progress_percent < 100
        for m in seen
    ), f"no metadata on the way in {seen}"
    last = seen[-1]
    assert last.state == metadata_pb2.OperationMetadata.SUCCEEDED, last
    assert last.progress_percent == 100, last

def check_export(response, metadata):
    assert response.books == 500, response
    assert metadata.books_total == 500, metadata
    assert metadata.parent == "publishers/acme", metadata

def unpack(packed, kind):
    message = kind()
    assert packed.Unpack(message), f"{packed.type_url}, want {kind.DESCRIPTOR.full_name}"
    return message

def below(parent, name):
    return f"{parent}/{name}" if parent else name
