package interop;

import com.google.api.gax.rpc.ApiException;
import com.google.api.gax.rpc.StatusCode;
import com.google.longrunning.Operation;
import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.util.Durations;
import com.google.rpc.Code;
import com.google.rpc.ErrorInfo;
import com.google.rpc.Status;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import lro.v1.Kinds.SimulateRequest;
import lro.v1.Kinds.SimulateResponse;
import lro.v1.Metadata.OperationMetadata;
import lro.v1.Metadata.OperationMetadata.State;
import lro.v1.StarterOuterClass.StartOperationRequest;

/** What the scenarios start, and what they check, whatever the client. */
final class Check {
  static final String START = "lro.v1.Starter/StartOperation";

  /** What the operations of the scenario failure end with. */
  static final Status QUOTA =
      Status.newBuilder()
          .setCode(Code.RESOURCE_EXHAUSTED_VALUE)
          .setMessage("no quota left")
          .addDetails(
              Any.pack(
                  ErrorInfo.newBuilder()
                      .setReason("QUOTA")
                      .setDomain("lro.example")
                      .putMetadata("limit", "7")
                      .build()))
          .build();

  private Check() {}

  /** Returns a request for an operation that takes so long. */
  static StartOperationRequest simulate(
      String parent, long millis, SimulateRequest.Builder request) {
    return StartOperationRequest.newBuilder()
        .setParent(parent)
        .setKind("simulate")
        .setRequest(Any.pack(request.setDuration(Durations.fromMillis(millis)).build()))
        .build();
  }

  static void that(boolean condition, Object got) {
    if (!condition) {
      throw new AssertionError(String.valueOf(got));
    }
  }

  static void started(Operation operation, String parent) throws InvalidProtocolBufferException {
    startedName(operation.getName(), parent);
    that(!operation.getDone(), operation);
    metadata(operation.getMetadata().unpack(OperationMetadata.class));
  }

  static void startedName(String name, String parent) {
    that(name.startsWith(below(parent, "operations/")), name);
  }

  static void metadata(OperationMetadata metadata) {
    that(metadata.getVerb().equals("simulate") && metadata.hasCreateTime(), metadata);
  }

  static void echo(SimulateResponse response) {
    that(response.getEcho().equals("hello") && response.getAttempts() == 1, response);
  }

  /** Checks metadata in the order in which the client showed them. */
  static void progress(List<OperationMetadata> seen) {
    that(
        seen.stream()
            .anyMatch(
                m ->
                    m.getState() == State.RUNNING
                        && m.getProgressPercent() > 0
                        && m.getProgressPercent() < 100),
        "no metadata on the way in " + seen);
    OperationMetadata last = seen.get(seen.size() - 1);
    that(last.getState() == State.SUCCEEDED && last.getProgressPercent() == 100, last);
  }

  static void quota(ErrorInfo info) {
    that(info != null, "the error has no details");
    that(info.getReason().equals("QUOTA"), info);
    that(info.getMetadataOrThrow("limit").equals("7"), info);
  }

  /** Calls, and returns the client's own exception, which must have this code. */
  static ApiException fails(StatusCode.Code code, Callable<?> call) throws Exception {
    Object got;
    try {
      got = call.call();
    } catch (ApiException e) {
      return hasCode(code, e);
    } catch (ExecutionException e) { // that of a future
      if (e.getCause() instanceof ApiException cause) {
        return hasCode(code, cause);
      }
      throw e;
    }
    throw new AssertionError("got " + got + ", want " + code);
  }

  private static ApiException hasCode(StatusCode.Code code, ApiException e) {
    that(e.getStatusCode().getCode() == code, e);
    return e;
  }

  static String below(String parent, String name) {
    return parent.isEmpty() ? name : parent + "/" + name;
  }
}
