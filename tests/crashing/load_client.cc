#include "crashing/load_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <stdexcept>

#include "support/answer_checks.h"
#include "support/deadline.h"
#include "support/request.h"

namespace tracker::tests {
namespace {

using namespace std::chrono_literals;

constexpr auto pause_between_attempts = 5ms;
constexpr std::size_t complaints_max = 20;
constexpr std::size_t pipelined_max = 24;

After what_follows(const HttpAnswer& answer) {
  return answer.field("Connection") == "close" ? After::closes : After::stays;
}

}  // namespace

void Recorded::complain(const std::string& complaint) {
  if (complaints.size() < complaints_max) complaints.push_back(complaint);
}

LoadClient::LoadClient(const Endpoint& envoy, KeySpace& keys, Recorded& recorded, Random& random)
    : envoy_(envoy), keys_(keys), recorded_(recorded), random_(random) {}

LoadClient::~LoadClient() {
  if (fd_ >= 0) ::close(fd_);
}

pollfd LoadClient::wanted() const {
  if (state_ == State::away) return {-1, 0, 0};
  const bool sends = state_ == State::connecting || sent_ < out_.size();
  return {fd_, static_cast<short>(sends ? POLLIN | POLLOUT : POLLIN), 0};
}

void LoadClient::go_on(short revents, Clock::time_point now) {
  if (!asked_.empty() && sent_ == out_.size() && now - asked_.front().hit.sent > patience) {
    recorded_.complain("no answer to: " + out_.substr(0, asked_.front().end));
    return close(now);
  }
  if (state_ == State::away) {
    if (now >= retry_) connect(now);
    return;
  }
  if (state_ == State::connecting) {
    if (revents == 0) return;
    int error = 0;
    socklen_t length = sizeof error;
    ::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) return close(now + pause_between_attempts);
    state_ = State::open;
    ++recorded_.connections;
  } else if ((revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
    receive();
  }
  if (state_ != State::open) return;
  if (asked_.empty()) start_turn();
  if (sent_ < out_.size()) send(Clock::now());
}

void LoadClient::connect(Clock::time_point now) {
  fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd_ < 0) throw std::runtime_error("no socket for a client of the load");
  const int on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(envoy_.port);
  ::inet_pton(AF_INET, envoy_.host.c_str(), &address.sin_addr);
  state_ = State::connecting;
  if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 && errno != EINPROGRESS) {
    close(now + pause_between_attempts);
  }
}

void LoadClient::start_turn() {
  out_.clear();
  sent_ = 0;
  const std::size_t requests = one_in(random_, 3) ? any_of(random_, 2, pipelined_max) : 1;
  std::size_t before_last = 0;
  for (std::size_t i = 0; i < requests; ++i) {
    const bool mint = keys_.takes_tokens() && one_in(random_, 200);
    const bool closes = i + 1 == requests && one_in(random_, 50);
    const std::string_view more = closes ? "Connection: close\r\n" : "";
    Asked asked{.mint = mint};
    if (!mint) asked.hit.key = keys_.draw(random_);
    before_last = out_.size();
    out_ += mint ? get_without_token("/auth", more) : keys_.request(asked.hit.key, more);
    asked.end = out_.size();
    asked_.push_back(asked);
  }
  send_max_ = out_.size();
  answers_left_.reset();
  if (!one_in(random_, 40)) return;
  if (one_in(random_, 2)) {
    send_max_ = any_of(random_, before_last, out_.size() - 1);  // within the last request
  } else {
    answers_left_ = any_of(random_, 0, requests - 1);
  }
}

void LoadClient::send(Clock::time_point now) {
  for (Asked& asked : asked_) {
    if (sent_ == 0) asked.hit.sent = now;
  }
  while (sent_ < send_max_) {
    const ssize_t size = ::send(fd_, out_.data() + sent_, send_max_ - sent_, MSG_NOSIGNAL);
    if (size > 0) {
      sent_ += static_cast<std::size_t>(size);
    } else if (errno == EAGAIN) {
      return;
    } else if (errno != EINTR) {
      return close(now);
    }
  }
  if (send_max_ < out_.size() || answers_left_ == 0u) break_off();
}

void LoadClient::receive() {
  std::array<char, 65536> buffer;
  const ssize_t size = ::recv(fd_, buffer.data(), buffer.size(), 0);
  const auto now = Clock::now();
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0)
    return close(now);  // the answer may be incomplete: a killed program's last write is cut anywhere
  in_.append(buffer.data(), static_cast<std::size_t>(size));
  try {
    if (!take_answers(now)) close(now);
  } catch (const std::exception& error) {
    recorded_.complain(error.what());
    close(now);
  }
}

bool LoadClient::take_answers(Clock::time_point now) {
  std::size_t taken = 0;
  while (taken < in_.size()) {
    const auto answer = take_answer(std::string_view(in_).substr(taken), AnswerTo::get, taken);
    if (!answer) break;
    if (asked_.empty()) throw std::runtime_error("an answer that nobody asked for: " + answer->to_string());
    Asked asked = asked_.front();
    asked_.pop_front();
    asked.hit.answered = now;
    asked.hit.status = answer->status;
    take(*answer, asked);
    if (what_follows(*answer) == After::closes) return false;
    if (answers_left_ && --*answers_left_ == 0) return false;
  }
  in_.erase(0, taken);
  return true;
}

void LoadClient::take(const HttpAnswer& answer, Asked asked) {
  const After after = what_follows(answer);
  if (answer.status == 200) {
    if (asked.mint) {
      const std::string token = token_in(answer, after);
      recorded_.minted.push_back(keys_.add_token(token));
    } else {
      asked.hit.count = count_in(answer, after);
    }
  } else if (answer.status != 503 && answer.status != 504) {
    recorded_.complain("an answer that no outage explains: " + answer.to_string());
  } else if (const auto refusal = is_refusal(answer, answer.status, after); !refusal) {
    recorded_.complain(refusal.message());
  }
  if (!asked.mint) recorded_.hits.push_back(asked.hit);
  if (asked.mint && answer.status != 200) ++recorded_.mints_failed;
}

void LoadClient::break_off() {
  const linger at_once{1, 0};
  if (fd_ >= 0) ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close(Clock::now());
}

// A request that was not sent whole cannot have been counted, so it is forgotten.
void LoadClient::close(Clock::time_point retry) {
  for (const Asked& asked : asked_) {
    if (asked.end > sent_) continue;
    if (asked.mint) {
      ++recorded_.mints_failed;
      continue;
    }
    recorded_.hits.push_back(asked.hit);
    recorded_.hits.back().answered = Clock::now();
  }
  asked_.clear();
  out_.clear();
  in_.clear();
  sent_ = 0;
  answers_left_.reset();
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
  state_ = State::away;
  retry_ = retry;
}

}  // namespace tracker::tests
