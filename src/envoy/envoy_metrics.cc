#include "envoy/envoy_metrics.h"

#include <string>

namespace tracker::envoy {

namespace {

constexpr const char* about_answers = "Answers to HTTP requests, by status code.";

}  // namespace

void EnvoyMetrics::report(metrics::Page& page, metrics::Batches::Behind behind) const {
  const auto add_answers = [&](int status, std::uint64_t answers) {
    page.counter("tracker_http_answers_total", about_answers, {{"code", std::to_string(status)}},
                 static_cast<double>(answers));
  };
  const auto minted =
      tokens.value();  // at one time, so that whoever subtracts it from the answers gets the counts
  add_answers(200, counts.value() + minted);
  for (std::size_t i = 0; i < refusal_count; ++i) {
    const auto refusal = static_cast<Refusal>(i);
    const auto refused = refusals_[i].value();
    add_answers(text_of(refusal).status, refused);
    page.counter("tracker_http_refusals_total", "Refusals of HTTP requests, by reason.",
                 {{"reason", std::string(name_of(refusal))}}, static_cast<double>(refused));
  }
  page.counter("tracker_tokens_minted_total", "Tokens that were handed out.", {{"door", "http"}},
               static_cast<double>(minted));
  page.histogram("tracker_http_request_duration_seconds",
                 "Time from reading a request's head until its answer is ready to be sent.", {}, durations_);
  page.counter("tracker_http_connections_accepted_total", "Connections that were accepted.", {},
               static_cast<double>(accepted.value()));
  page.counter("tracker_http_malformed_proxy_headers_total",
               "Connections of trusted proxies that were closed, since no header of the PROXY protocol, "
               "version 2, came first.",
               {}, static_cast<double>(malformed_proxy_headers.value()));
  batches.report(page, "http", behind);
}

}  // namespace tracker::envoy
