import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.net.http.WebSocket;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.function.BiConsumer;
import java.util.stream.Collectors;

/**
 * Sends what its input says, a request a line, with one HttpClient as Java makes it, and prints each answer as a line of
 * JSON. A line has fields with tabs between them, the last three in Base64: a number, what it is (`request`, `stream`,
 * `websocket`), how the body goes out (`none`, `sized`, `chunked`, `expected`), the method, the URL, the headers, the body.
 */
class JavaClient {
  static final HttpClient client = HttpClient.newHttpClient();

  public static void main(String[] arguments) throws Exception {
    var input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line; (line = input.readLine()) != null; ) {
      String[] fields = line.split("\t", -1);
      CompletableFuture.supplyAsync(() -> answer(fields)).thenAccept(JavaClient::print);
    }
    System.exit(0);
  }

  static synchronized void print(String line) {
    System.out.println(line);
    System.out.flush();
  }

  static String answer(String[] fields) {
    String number = fields[0];
    URI uri = URI.create(text(fields[4]));
    try {
      return switch (fields[1]) {
        case "stream" -> stream(number, request(fields, uri));
        case "websocket" -> webSocket(number, uri, text(fields[5]));
        default -> {
          HttpResponse<byte[]> response = client.send(request(fields, uri), BodyHandlers.ofByteArray());
          yield json(number, response, response.body());
        }
      };
    } catch (Exception fault) {
      return "{\"number\":%s,\"fault\":\"%s\"}".formatted(number, base64(fault.toString().getBytes(StandardCharsets.UTF_8)));
    }
  }

  static HttpRequest request(String[] fields, URI uri) {
    byte[] body = Base64.getDecoder().decode(fields[6]);
    BodyPublisher publisher = switch (fields[2]) {
      case "none" -> BodyPublishers.noBody();
      case "chunked" -> BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(body));
      default -> BodyPublishers.ofByteArray(body);
    };
    var builder = HttpRequest.newBuilder(uri).method(fields[3], publisher).expectContinue(fields[2].equals("expected"));
    eachHeader(text(fields[5]), builder::header);
    return builder.build();
  }

  /** As far as the first message. */
  static String stream(String number, HttpRequest request) throws Exception {
    HttpResponse<InputStream> response = client.send(request, BodyHandlers.ofInputStream());
    var said = new StringBuilder();
    try (var lines = new BufferedReader(new InputStreamReader(response.body(), StandardCharsets.UTF_8))) {
      for (String line; (line = lines.readLine()) != null; ) {
        said.append(line).append('\n');
        if (line.startsWith("data:")) break;
      }
    }
    return json(number, response, said.toString().getBytes(StandardCharsets.UTF_8));
  }

  static String webSocket(String number, URI uri, String headers) throws Exception {
    var first = new CompletableFuture<String>();
    var builder = client.newWebSocketBuilder();
    eachHeader(headers, builder::header);
    WebSocket socket = builder.buildAsync(uri, new WebSocket.Listener() {
      final StringBuilder said = new StringBuilder();

      @Override
      public CompletionStage<?> onText(WebSocket socket, CharSequence text, boolean isLast) {
        said.append(text);
        if (isLast) first.complete(said.toString());
        socket.request(1);
        return null;
      }

      @Override
      public CompletionStage<?> onClose(WebSocket socket, int code, String reason) {
        first.completeExceptionally(new Exception("closed with " + code));
        return null;
      }

      @Override
      public void onError(WebSocket socket, Throwable fault) {
        first.completeExceptionally(fault);
      }
    }).get(30, TimeUnit.SECONDS);
    String said = first.get(30, TimeUnit.SECONDS);
    socket.abort();
    return "{\"number\":%s,\"status\":101,\"headers\":\"\",\"body\":\"%s\"}".formatted(number, base64(said.getBytes(StandardCharsets.UTF_8)));
  }

  static String json(String number, HttpResponse<?> response, byte[] body) {
    String headers = response.headers().map().entrySet().stream()
        .flatMap(header -> header.getValue().stream().map(value -> header.getKey() + ": " + value))
        .collect(Collectors.joining("\n"));
    return "{\"number\":%s,\"status\":%d,\"headers\":\"%s\",\"body\":\"%s\"}".formatted(
        number, response.statusCode(), base64(headers.getBytes(StandardCharsets.UTF_8)), base64(body));
  }

  /** One a line. */
  static void eachHeader(String lines, BiConsumer<String, String> set) {
    lines.lines().map(line -> line.split(": ", 2)).forEach(pair -> set.accept(pair[0], pair[1]));
  }

  static String base64(byte[] bytes) {
    return Base64.getEncoder().encodeToString(bytes);
  }

  static String text(String base64) {
    return new String(Base64.getDecoder().decode(base64), StandardCharsets.UTF_8);
  }
}
