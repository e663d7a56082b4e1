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

namespace {

template <typename Accept>
std::string wait_until(const Endpoint& health, const std::string& wanted, std::chrono::milliseconds within,
                       Accept accept) {
  const Deadline deadline(within);
  for (;;) {
    const HttpAnswer answer = ask_health(health, "/readyz");
    if (accept(answer)) return answer.body;
    if (deadline.passed())
      throw std::runtime_error("/readyz does not become " + wanted + "; it says " + answer.to_string());
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

}  // namespace

std::string wait_readyz(const Endpoint& health, int status, const std::string& text,
                        std::chrono::milliseconds within) {
  return wait_until(health, std::to_string(status) + " " + text, within, [&](const HttpAnswer& answer) {
    return answer.status == status && answer.body.find(text) != std::string::npos;
  });
}

void wait_all_ready(const Endpoint& health, std::chrono::milliseconds within) {
  wait_until(health, "200 without a remark", within,
             [](const HttpAnswer& answer) { return answer.status == 200 && answer.body == "ready\n"; });
}

}  // namespace tracker::tests
