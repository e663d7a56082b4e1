#include "support/health.h"

#include <stdexcept>
#include <thread>

#include "support/raw_client.h"
#include "support/request.h"

namespace tracker::tests {

HttpAnswer ask_health(const Endpoint& health, const std::string& path) {
  RawClient client(health);
  client.send(get_without_token(path));
  return client.read_answer();
}

std::string wait_readyz(const Endpoint& health, int status, std::chrono::milliseconds within) {
  return wait_readyz(health, status, "", within);
}

std::string wait_readyz(const Endpoint& health, int status, const std::string& text,
                        std::chrono::milliseconds within) {
  const Deadline deadline(within);
  for (;;) {
    const HttpAnswer answer = ask_health(health, "/readyz");
    if (answer.status == status && answer.body.find(text) != std::string::npos) return answer.body;
    if (deadline.passed()) {
      throw std::runtime_error("/readyz does not become " + std::to_string(status) + " " + text +
                               "; it says " + answer.to_string());
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

}  // namespace tracker::tests
