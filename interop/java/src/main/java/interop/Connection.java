package interop;

import com.google.api.gax.core.NoCredentialsProvider;
import com.google.api.gax.grpc.GrpcCallSettings;
import com.google.api.gax.grpc.GrpcCallableFactory;
import com.google.api.gax.grpc.GrpcTransportChannel;
import com.google.api.gax.grpc.ProtoOperationTransformers.MetadataTransformer;
import com.google.api.gax.grpc.ProtoOperationTransformers.ResponseTransformer;
import com.google.api.gax.longrunning.OperationSnapshot;
import com.google.api.gax.longrunning.OperationTimedPollAlgorithm;
import com.google.api.gax.retrying.RetrySettings;
import com.google.api.gax.rpc.ClientContext;
import com.google.api.gax.rpc.FixedTransportChannelProvider;
import com.google.api.gax.rpc.OperationCallSettings;
import com.google.api.gax.rpc.OperationCallable;
import com.google.api.gax.rpc.UnaryCallSettings;
import com.google.api.gax.rpc.UnaryCallable;
import com.google.longrunning.Operation;
import com.google.longrunning.OperationsClient;
import com.google.longrunning.OperationsSettings;
import com.google.protobuf.Message;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.protobuf.ProtoUtils;
import java.io.IOException;
import java.time.Duration;

/** A connection to a server, and what generated clients make of one. */
final class Connection implements AutoCloseable {
  /** By default futures poll seconds apart; the matrix is to be quick. */
  static final Duration POLL_EVERY = Duration.ofMillis(100);

  private final ManagedChannel channel;
  private final ClientContext context;
  final OperationsClient operations;

  Connection(String addr) throws IOException {
    channel = ManagedChannelBuilder.forTarget(addr).usePlaintext().build();
    OperationsSettings settings =
        OperationsSettings.newBuilder()
            .setTransportChannelProvider(
                FixedTransportChannelProvider.create(GrpcTransportChannel.create(channel)))
            .setCredentialsProvider(NoCredentialsProvider.create())
            .build();
    context = ClientContext.create(settings);
    operations = OperationsClient.create(settings);
  }

  /** Returns a method that answers with an operation, to be called as itself. */
  <Q extends Message> UnaryCallable<Q, Operation> method(String name, Q request) {
    return GrpcCallableFactory.createUnaryCallable(
        grpcSettings(name, request),
        UnaryCallSettings.<Q, Operation>newUnaryCallSettingsBuilder()
            .setSimpleTimeoutNoRetriesDuration(Duration.ofMinutes(1))
            .build(),
        context);
  }

  /** Returns the same method, to be called as a long-running operation. */
  <Q extends Message, R extends Message, M extends Message>
      OperationCallable<Q, R, M> operationMethod(
          String name, Q request, Class<R> response, Class<M> metadata) {
    return GrpcCallableFactory.createOperationCallable(
        grpcSettings(name, request),
        OperationCallSettings.<Q, R, M>newBuilder()
            .setInitialCallSettings(
                UnaryCallSettings.<Q, OperationSnapshot>newUnaryCallSettingsBuilder()
                    .setSimpleTimeoutNoRetriesDuration(Duration.ofMinutes(1))
                    .build())
            .setResponseTransformer(ResponseTransformer.create(response))
            .setMetadataTransformer(MetadataTransformer.create(metadata))
            .setPollingAlgorithm(
                OperationTimedPollAlgorithm.create(
                    RetrySettings.newBuilder()
                        .setInitialRetryDelayDuration(POLL_EVERY)
                        .setRetryDelayMultiplier(1)
                        .setMaxRetryDelayDuration(POLL_EVERY)
                        .setTotalTimeoutDuration(Duration.ofMinutes(5))
                        .build()))
            .build(),
        context,
        operations.getStub());
  }

  private static <Q extends Message> GrpcCallSettings<Q, Operation> grpcSettings(
      String name, Q request) {
    return GrpcCallSettings.<Q, Operation>newBuilder()
        .setMethodDescriptor(
            MethodDescriptor.<Q, Operation>newBuilder()
                .setType(MethodType.UNARY)
                .setFullMethodName(name)
                .setRequestMarshaller(ProtoUtils.marshaller(request))
                .setResponseMarshaller(ProtoUtils.marshaller(Operation.getDefaultInstance()))
                .build())
        .build();
  }

  @Override
  public void close() {
    operations.close();
    channel.shutdownNow();
  }
}
