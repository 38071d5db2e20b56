package interop;

import com.google.api.gax.longrunning.OperationFuture;
import com.google.api.gax.longrunning.OperationSnapshot;
import com.google.api.gax.rpc.ApiException;
import com.google.api.gax.rpc.OperationCallable;
import com.google.api.gax.rpc.StatusCode.Code;
import com.google.protobuf.Any;
import example.library.v1.LibraryOuterClass.ExportBooksMetadata;
import example.library.v1.LibraryOuterClass.ExportBooksRequest;
import example.library.v1.LibraryOuterClass.ExportBooksResponse;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import lro.v1.Kinds.SimulateRequest;
import lro.v1.Kinds.SimulateResponse;
import lro.v1.Metadata.OperationMetadata;
import lro.v1.StarterOuterClass.StartOperationRequest;

/** gax's OperationFuture, which generated methods return. */
final class Futures {
  private final OperationCallable<StartOperationRequest, SimulateResponse, OperationMetadata>
      simulate;
  private final OperationCallable<ExportBooksRequest, ExportBooksResponse, ExportBooksMetadata>
      export;
  private final String parent;

  Futures(Connection server, Connection library, String parent) {
    this.parent = parent;
    simulate =
        server.operationMethod(
            Check.START,
            StartOperationRequest.getDefaultInstance(),
            SimulateResponse.class,
            OperationMetadata.class);
    export =
        library.operationMethod(
            "example.library.v1.Library/ExportBooks",
            ExportBooksRequest.getDefaultInstance(),
            ExportBooksResponse.class,
            ExportBooksMetadata.class);
  }

  Map<String, Main.Scenario> scenarios() {
    return Map.of(
        "start", this::start,
        "success", this::success,
        "metadata", this::metadata,
        "failure", this::failure,
        "cancel", this::cancel,
        "unknown", this::unknown,
        "library", this::library);
  }

  private OperationFuture<SimulateResponse, OperationMetadata> simulate(
      long millis, SimulateRequest.Builder request) {
    return simulate.futureCall(Check.simulate(parent, millis, request));
  }

  private void start() throws Exception {
    var future = simulate(60_000, SimulateRequest.newBuilder());
    Check.startedName(future.getName(), parent);
    OperationSnapshot initial = future.getInitialFuture().get();
    Check.that(!initial.isDone(), initial);
    Check.metadata(((Any) initial.getMetadata()).unpack(OperationMetadata.class));
    future.cancel(true); // stops the polling
  }

  private void success() throws Exception {
    Check.echo(simulate(1000, SimulateRequest.newBuilder().setEcho("hello")).get());
  }

  private void metadata() throws Exception {
    var future = simulate(4000, SimulateRequest.newBuilder().setSteps(40));
    List<OperationMetadata> seen = new ArrayList<>();
    while (!future.isDone()) {
      var metadata = future.peekMetadata();
      if (metadata != null) { // it is before the first poll
        seen.add(metadata.get());
      }
      Thread.sleep(Connection.POLL_EVERY.toMillis());
    }
    seen.add(future.getMetadata().get());
    Check.progress(seen);
  }

  private void failure() throws Exception {
    var future = simulate(1000, SimulateRequest.newBuilder().setError(Check.QUOTA));
    ApiException e = Check.fails(Code.RESOURCE_EXHAUSTED, future::get);
    Check.that(e.getMessage().contains("no quota left"), e.getMessage());
    Check.that(e.getErrorDetails() != null, "the exception has no details");
    Check.quota(e.getErrorDetails().getErrorInfo());
  }

  private void cancel() throws Exception {
    var future = simulate(3_600_000, SimulateRequest.newBuilder());
    simulate.cancel(future.getName()).get();
    Check.fails(Code.CANCELLED, future::get);
  }

  private void unknown() throws Exception {
    var future = simulate.resumeFutureCall(Check.below(parent, "operations/none"));
    Check.fails(Code.NOT_FOUND, future::get);
  }

  private void library() throws Exception {
    var future =
        export.futureCall(ExportBooksRequest.newBuilder().setParent("publishers/acme").build());
    ExportBooksResponse response = future.get();
    ExportBooksMetadata metadata = future.getMetadata().get();
    Check.that(response.getBooks() == 500, response);
    Check.that(metadata.getBooksTotal() == 500, metadata);
    Check.that(metadata.getParent().equals("publishers/acme"), metadata);
  }
}
