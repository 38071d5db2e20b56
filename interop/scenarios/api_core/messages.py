"""Messages and durations, as scenarios write them."""

import base64
import importlib
import types

from google.longrunning import operations_pb2
from google.protobuf import any_pb2, json_format, message_factory, symbol_database

# What registers the messages that scenarios name.
for module in (
    "google.protobuf.duration_pb2",
    "google.protobuf.empty_pb2",
    "google.protobuf.struct_pb2",
    "google.protobuf.wrappers_pb2",
    "google.rpc.error_details_pb2",
):
    importlib.import_module(module)

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(text):
    """Reads a duration of one number and one unit, such as "1.5s"."""
    for unit in ("ms", "s", "m", "h"):
        if text.endswith(unit):
            return float(text[: -len(unit)]) * UNITS[unit]
    raise ValueError(f"duration {text!r}")


def message_type(name):
    """Returns the class of a message; None for no name."""
    if not name:
        return None
    descriptor = symbol_database.Default().pool.FindMessageTypeByName(name)
    return message_factory.GetMessageClass(descriptor)


def operation(written):
    """Makes an Operation of its JSON, in which an Any may be written by bytes."""
    fields = dict(written)
    packed = {}
    for field in ("metadata", "response"):
        if "@value" in fields.get(field, {}):
            value = fields.pop(field)
            packed[field] = any_pb2.Any(
                type_url=value.get("@type", ""), value=base64.b64decode(value["@value"])
            )
    op = json_format.ParseDict(fields, operations_pb2.Operation())
    for field, value in packed.items():
        getattr(op, field).CopyFrom(value)
    return op


class Extended:
    """An operation of Compute Engine out of its JSON, with the attributes of google-cloud-compute."""

    def __init__(self, fields):
        self.name = fields.get("name", "")
        self.status = fields.get("status", "")
        self.http_error_status_code = fields.get("httpErrorStatusCode", 0)
        self.http_error_message = fields.get("httpErrorMessage", "")
        self.error = types.SimpleNamespace(
            errors=[types.SimpleNamespace(**e) for e in fields.get("error", {}).get("errors", [])]
        )

    @property
    def done(self):
        return self.status == "DONE"


def plain(message):
    """Returns what a message is in JSON."""
    return json_format.MessageToDict(message)


def detail(message):
    """Returns a detail of an error, which is decoded or an Any, as JSON."""
    if isinstance(message, dict) or message.DESCRIPTOR.full_name == "google.protobuf.Any":
        return message if isinstance(message, dict) else plain(message)
    packed = any_pb2.Any()
    packed.Pack(message)
    return plain(packed)
