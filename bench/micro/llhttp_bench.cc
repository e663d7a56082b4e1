// llhttp (strict) with the same heads as our own parser. It finds target and authorization, and checks the rest less
// strictly.
#include <llhttp.h>

#include "domain/ascii.h"
#include "envoy/request_head.h"
#include "request_heads.h"
#include "workload.h"

namespace tracker::bench {

namespace {

struct Reading {
  std::string_view target;
  std::string_view authorization;
  bool is_authorization = false;  // the current field is Authorization
};

llhttp_settings_t callbacks() {
  llhttp_settings_t settings;
  llhttp_settings_init(&settings);
  settings.on_url = [](llhttp_t* parser, const char* at, std::size_t size) {
    static_cast<Reading*>(parser->data)->target = {at, size};
    return 0;
  };
  settings.on_header_field = [](llhttp_t* parser, const char* at, std::size_t size) {
    static_cast<Reading*>(parser->data)->is_authorization =
        domain::equal_in_any_case({at, size}, "authorization");
    return 0;
  };
  settings.on_header_value = [](llhttp_t* parser, const char* at, std::size_t size) {
    auto& reading = *static_cast<Reading*>(parser->data);
    if (reading.is_authorization) reading.authorization = {at, size};
    return 0;
  };
  settings.on_message_complete = [](llhttp_t* /*parser*/) -> int { return HPE_PAUSED; };
  return settings;
}

void llhttp(benchmark::State& state, std::string_view bytes) {
  const llhttp_settings_t settings = callbacks();
  llhttp_t parser;
  Reading reading;
  bool read_whole = false;
  for ([[maybe_unused]] auto _ : state) {
    benchmark::DoNotOptimize(bytes);
    llhttp_init(&parser, HTTP_REQUEST, &settings);
    reading = {};
    parser.data = &reading;
    read_whole = llhttp_execute(&parser, bytes.data(), bytes.size()) == HPE_PAUSED;
    benchmark::DoNotOptimize(reading);
  }
  const bool right = read_whole && llhttp_get_error_pos(&parser) == bytes.data() + bytes.size() &&
                     llhttp_should_keep_alive(&parser) == 1 && reading.target == target_of_heads &&
                     reading.authorization.ends_with(token_text);
  if (!right) state.SkipWithError("not what the head says");
}
BENCHMARK_CAPTURE(llhttp, small, small_head);
BENCHMARK_CAPTURE(llhttp, curl, curl_head);
BENCHMARK_CAPTURE(llhttp, browser, browser_head);

}  // namespace

}  // namespace tracker::bench
