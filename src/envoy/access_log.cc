#include "envoy/access_log.h"

#include <sys/socket.h>

#include <array>
#include <charconv>

#include "domain/percent_encoding.h"
#include "envoy/exchange.h"
#include "envoy/refusal.h"
#include "runtime/listener.h"
#include "runtime/utc_time.h"

namespace tracker::envoy {

namespace {

/// Appends the text with every byte percent-encoded that could end a column of text or a string of JSON.
void append_safe(std::string_view text, std::string& out) {
  for (const char c : text) {
    if (c > ' ' && c <= '~' && c != '"' && c != '\\') {
      out += c;
    } else {
      domain::append_percent_encoded(c, out);
    }
  }
}

void append_number(std::int64_t number, std::string& out) {
  std::array<char, 20> text;
  out.append(text.data(), std::to_chars(text.data(), text.data() + text.size(), number).ptr);
}

/// Writes one line, column by column.
class Line {
 public:
  Line(runtime::LogFormat format, std::string& out)
      : is_json_(format == runtime::LogFormat::json), out_(out) {}

  void add_text(std::string_view name, std::string_view text) {
    if (text.empty()) return add_nothing();
    begin_column(name);
    if (is_json_) out_ += '"';
    append_safe(text, out_);
    if (is_json_) out_ += '"';
  }

  void add_number(std::string_view name, std::int64_t number) {
    begin_column(name);
    append_number(number, out_);
  }

  void add_nothing() {
    if (is_json_) return;
    begin_column({});
    out_ += '-';
  }

  void end() { out_ += is_json_ ? "}\n" : "\n"; }

 private:
  void begin_column(std::string_view name) {
    if (is_json_) {
      out_ += is_first_ ? "{\"" : ",\"";
      out_ += name;
      out_ += "\":";
    } else if (!is_first_) {
      out_ += ' ';
    }
    is_first_ = false;
  }

  const bool is_json_;
  std::string& out_;
  bool is_first_ = true;
};

}  // namespace

AccessLog::AccessLog(const AccessLogSettings& settings) : settings_(settings) {}

/// Exactly one of each `sample` requests, and not always the same one: clients have patterns, too.
bool AccessLog::is_in_sample() {
  if (settings_.sample == 1) return true;
  if (left_ == 0) {
    left_ = settings_.sample;
    picked_ = std::uniform_int_distribution<std::size_t>(1, left_)(random_);
  }
  return left_-- == picked_;
}

AccessEntry* AccessLog::begin() {
  if (!is_in_sample()) return nullptr;
  if (free_.empty()) {
    entries_.push_back(std::make_unique<AccessEntry>());
    free_.push_back(entries_.back().get());
  }
  AccessEntry& entry = *free_.back();
  free_.pop_back();
  entry.method = {};
  entry.path.clear();
  entry.token.reset();
  entry.client.reset();
  return &entry;
}

void AccessLog::log(const Exchange& exchange, std::string_view peer, std::size_t bytes) {
  const AccessEntry& entry = *exchange.access;
  const auto now = std::chrono::system_clock::now();
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
  if (ms != time_ms_) {
    time_ms_ = ms;
    time_text_ = runtime::utc_time(now);
  }
  const auto duration = runtime::Clock::now() - exchange.begun;
  const bool is_refused = exchange.answer == Exchange::Answer::refusal;

  Line line(settings_.format, lines_);
  line.add_text("time", time_text_);
  line.add_text("method", entry.method);
  line.add_text("path", entry.path);
  line.add_number("status", is_refused ? text_of(exchange.refusal).status : 200);
  if (is_refused) {
    line.add_text("refusal", name_of(exchange.refusal));
  } else if (exchange.answer == Exchange::Answer::count) {
    line.add_number("count", exchange.count);
  } else {
    line.add_nothing();
  }
  const auto token = exchange.answer == Exchange::Answer::token
                         ? std::optional(domain::token_id(exchange.token))
                         : entry.token;
  line.add_text("token", token ? domain::to_string(*token) : "");
  line.add_text("client", entry.client ? domain::to_string(*entry.client) : peer);
  line.add_number("bytes", static_cast<std::int64_t>(bytes));
  line.add_number("duration_us", std::chrono::duration_cast<std::chrono::microseconds>(duration).count());
  line.end();
  ++line_count_;
  free_.push_back(exchange.access);
}

void AccessLog::hand_over() {
  if (line_count_ == 0) return;
  settings_.file->push(lines_, line_count_);
  line_count_ = 0;
}

std::string peer_text(int socket) {
  runtime::Endpoint peer;
  auto size = static_cast<socklen_t>(peer.capacity());
  if (::getpeername(socket, peer.data(), &size) != 0) return "";
  peer.resize(size);
  return runtime::to_string(peer);
}

}  // namespace tracker::envoy
