package interop;

import com.google.api.gax.rpc.StatusCode;
import com.google.api.gax.rpc.UnaryCallable;
import com.google.longrunning.ListOperationsRequest;
import com.google.longrunning.Operation;
import com.google.longrunning.OperationsClient;
import com.google.longrunning.WaitOperationRequest;
import com.google.protobuf.util.Durations;
import com.google.rpc.Code;
import com.google.rpc.ErrorInfo;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import lro.v1.Kinds.SimulateRequest;
import lro.v1.Kinds.SimulateResponse;
import lro.v1.StarterOuterClass.StartOperationRequest;

/** gax's OperationsClient. */
final class Client {
  private static final String LISTED = "projects/listed";

  private final OperationsClient operations;
  private final UnaryCallable<StartOperationRequest, Operation> starter;
  private final String parent;

  Client(Connection server, String parent) {
    this.parent = parent;
    operations = server.operations;
    starter = server.method(Check.START, StartOperationRequest.getDefaultInstance());
  }

  Map<String, Main.Scenario> scenarios() {
    return Map.of(
        "start", this::start,
        "success", this::success,
        "failure", this::failure,
        "cancel", this::cancel,
        "delete", this::delete,
        "list", this::list,
        "wait", this::waitForOne,
        "unknown", this::unknown);
  }

  private String simulate(long millis, SimulateRequest.Builder request) {
    return starter.call(Check.simulate(parent, millis, request)).getName();
  }

  private Operation poll(String name) throws InterruptedException {
    Operation operation;
    while (!(operation = operations.getOperation(name)).getDone()) {
      Thread.sleep(Connection.POLL_EVERY.toMillis());
    }
    return operation;
  }

  private void start() throws Exception {
    String name = simulate(60_000, SimulateRequest.newBuilder());
    Check.started(operations.getOperation(name), parent);
  }

  private void success() throws Exception {
    Operation done = poll(simulate(1000, SimulateRequest.newBuilder().setEcho("hello")));
    Check.echo(done.getResponse().unpack(SimulateResponse.class));
  }

  private void failure() throws Exception {
    Operation done = poll(simulate(1000, SimulateRequest.newBuilder().setError(Check.QUOTA)));
    Check.that(done.getError().equals(Check.QUOTA), done);
    Check.quota(done.getError().getDetails(0).unpack(ErrorInfo.class));
  }

  private void cancel() throws Exception {
    String name = simulate(3_600_000, SimulateRequest.newBuilder());
    operations.cancelOperation(name);
    Operation done = poll(name);
    Check.that(done.getError().getCode() == Code.CANCELLED_VALUE, done);
  }

  private void delete() throws Exception {
    String name = poll(simulate(0, SimulateRequest.newBuilder())).getName();
    operations.deleteOperation(name);
    Check.fails(StatusCode.Code.NOT_FOUND, () -> operations.getOperation(name));
  }

  private void unknown() throws Exception {
    String none = Check.below(parent, "operations/none");
    Check.fails(StatusCode.Code.NOT_FOUND, () -> operations.getOperation(none));
  }

  private void list() throws Exception {
    Set<String> running = startListed(2, 3_600_000);
    Set<String> done = startListed(60, 0);
    for (String name : done) {
      poll(name);
    }
    Set<String> seen = new HashSet<>();
    int pages = 0;
    for (var page : list("done = true").iteratePages()) {
      pages++;
      page.getValues().forEach(operation -> seen.add(operation.getName()));
    }
    Check.that(pages == 3, pages);
    Check.that(seen.equals(done), seen);

    seen.clear();
    list("done = false").iterateAll().forEach(operation -> seen.add(operation.getName()));
    Check.that(seen.equals(running), seen);
  }

  private OperationsClient.ListOperationsPagedResponse list(String filter) {
    return operations.listOperations(
        ListOperationsRequest.newBuilder()
            .setName(LISTED)
            .setFilter(filter)
            .setPageSize(25)
            .build());
  }

  private Set<String> startListed(int count, long millis) {
    Set<String> names = new HashSet<>();
    for (int i = 0; i < count; i++) {
      StartOperationRequest request =
          Check.simulate(LISTED, millis, SimulateRequest.newBuilder());
      names.add(starter.call(request).getName());
    }
    return names;
  }

  private void waitForOne() throws Exception {
    String soon = simulate(1000, SimulateRequest.newBuilder().setEcho("hello"));
    Operation done = operations.waitOperation(waitRequest(soon, 20_000));
    Check.that(done.getDone(), done);
    Check.echo(done.getResponse().unpack(SimulateResponse.class));

    String late = simulate(3_600_000, SimulateRequest.newBuilder());
    Operation running = operations.waitOperation(waitRequest(late, 200));
    Check.that(!running.getDone(), running);
  }

  private static WaitOperationRequest waitRequest(String name, long millis) {
    return WaitOperationRequest.newBuilder()
        .setName(name)
        .setTimeout(Durations.fromMillis(millis))
        .build();
  }
}
