package servers;

import com.google.cloud.spanner.MockDatabaseAdminServiceImpl;
import com.google.cloud.spanner.MockOperationsServiceImpl;
import io.grpc.Server;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import java.lang.reflect.Field;
import java.net.InetSocketAddress;

/**
 * Serves the mock of Spanner's administration until standard input ends. The argument is how many
 * milliseconds a backup takes; the first line of standard output is the address.
 */
final class SpannerMock {
  private SpannerMock() {}

  public static void main(String[] args) throws Exception {
    MockOperationsServiceImpl operations = new MockOperationsServiceImpl();
    MockDatabaseAdminServiceImpl databases = new MockDatabaseAdminServiceImpl(operations);
    // There is no setter.
    Field takes =
        MockDatabaseAdminServiceImpl.class.getDeclaredField("createBackupOperationExecutionTime");
    takes.setAccessible(true);
    takes.setLong(databases, Long.parseLong(args[0]));

    Server server =
        NettyServerBuilder.forAddress(new InetSocketAddress("127.0.0.1", 0))
            .addService(operations)
            .addService(databases)
            .build()
            .start();
    System.out.println("127.0.0.1:" + server.getPort());
    while (System.in.read() >= 0) {}
    server.shutdownNow().awaitTermination();
  }
}
