// Requests URL with TOKEN, TIMES times in sequence, and prints how many answers came: Client URL TOKEN TIMES
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;

class Client {
  public static void main(String[] args) throws InterruptedException {
    var client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    var request = HttpRequest.newBuilder(URI.create(args[0])).header("Authorization", args[1]).build();
    int answers = 0;
    for (int i = 0; i < Integer.parseInt(args[2]); ++i) {
      try {
        client.send(request, BodyHandlers.ofString());
        ++answers;
      } catch (IOException broken) {
        // It has no answer.
      }
    }
    System.out.println(answers);
  }
}
