package interop;

import com.google.api.gax.core.GaxProperties;
import com.google.api.gax.grpc.GaxGrpcProperties;
import com.google.gson.JsonObject;
import java.util.Arrays;
import java.util.Map;

/**
 * The Java columns of the matrix: gax's OperationFuture and OperationsClient, over gRPC.
 *
 * <pre>Main CLIENT ADDR LIBRARY-ADDR PARENT SCENARIO...</pre>
 *
 * prints a line of JSON for each scenario.
 */
public final class Main {
  /** A scenario; it returns if it went well. */
  interface Scenario {
    void run() throws Exception;
  }

  public static void main(String[] args) throws Exception {
    String client = args[0];
    try (Connection server = new Connection(args[1]);
        Connection library = new Connection(args[2])) {
      Map<String, Scenario> scenarios =
          switch (client) {
            case "OperationFuture" -> new Futures(server, library, args[3]).scenarios();
            case "OperationsClient" -> new Client(server, args[3]).scenarios();
            default -> throw new IllegalArgumentException("unknown client " + client);
          };
      JsonObject versions = new JsonObject();
      versions.addProperty(
          "versions",
          String.format(
              "Java %s, gax %s, gRPC %s",
              Runtime.version().feature(),
              GaxProperties.getGaxVersion(),
              GaxGrpcProperties.getGrpcVersion()));
      System.out.println(versions);
      for (String scenario : Arrays.asList(args).subList(4, args.length)) {
        System.out.println(run(scenario, scenarios.get(scenario)));
      }
    }
    System.exit(0); // gax keeps threads
  }

  private static JsonObject run(String name, Scenario scenario) {
    JsonObject line = new JsonObject();
    line.addProperty("scenario", name);
    try {
      scenario.run();
      line.addProperty("ok", true);
    } catch (Exception | AssertionError e) {
      line.addProperty("error", e.toString());
    }
    return line;
  }
}
