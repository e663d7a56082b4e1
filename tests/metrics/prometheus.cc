#include "metrics/prometheus.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <thread>

#include "support/deadline.h"
#include "support/raw_client.h"

namespace tracker::tests {
namespace {

using namespace std::chrono_literals;

void replace(std::string& text, const std::string& old, const std::string& by) {
  const auto at = text.find(old);
  if (at == text.npos) throw std::runtime_error(old + " should be in packaging/monitoring/prometheus.yml");
  text.replace(at, old.size(), by);
}

std::string percent_encoded(const std::string& text) {
  constexpr const char* digits = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
      encoded += c;
    } else {
      encoded +=
          {'%', digits[static_cast<unsigned char>(c) >> 4U], digits[static_cast<unsigned char>(c) & 15U]};
    }
  }
  return encoded;
}

// By HTTP/1.0: Go's server would send chunks otherwise.
std::string body_of(const Endpoint& endpoint, const std::string& path) {
  RawClient client(endpoint);
  client.send("GET " + path + " HTTP/1.0\r\n\r\n");
  client.read_to_end();
  const auto head_end = client.unread().find("\r\n\r\n");
  if (head_end == std::string_view::npos) throw std::runtime_error("Prometheus gives no answer to " + path);
  return std::string(client.unread().substr(head_end + 4));
}

}  // namespace

std::string text_of(const std::string& file) {
  std::ifstream stream(file);
  std::string text{std::istreambuf_iterator<char>(stream), {}};
  if (text.empty()) throw std::runtime_error("there is nothing in " + file);
  return text;
}

Prometheus::Prometheus(const std::vector<Endpoint>& targets) {
  auto configuration = text_of(MONITORING "/prometheus.yml");
  std::string lines;
  for (const auto& target : targets) lines += "          - " + target.to_string() + "\n";
  replace(configuration, "          - 127.0.0.1:6390", lines);
  replace(configuration, "scrape_interval: 15s", "scrape_interval: 250ms");
  replace(configuration, "evaluation_interval: 15s", "evaluation_interval: 250ms");
  std::ofstream(directory_.path() / "prometheus.yml") << configuration;
  std::filesystem::copy_file(MONITORING "/alerts.yml", directory_.path() / "alerts.yml");
  for (int attempt = 0; attempt < 10; ++attempt) {
    endpoint_ = {"127.0.0.1", lasting_port()};
    program_.reset();
    program_ = std::make_unique<Program>(
        Arguments{"--config.file=" + (directory_.path() / "prometheus.yml").string(),
                  "--storage.tsdb.path=" + (directory_.path() / "data").string(),
                  "--web.listen-address=" + endpoint_.to_string()},
        Environment{}, PROMETHEUS);
    if (wait_for_answer()) return;
  }
  throw std::runtime_error("Prometheus does not start; it said:\n" + program_->output());
}

// Returns false if it has ended.
bool Prometheus::wait_for_answer() {
  for (const Deadline deadline; !deadline.passed(); std::this_thread::sleep_for(20ms)) {
    if (!program_->running()) return false;
    try {
      if (body_of(endpoint_, "/-/ready").find("Ready") != std::string::npos) return true;
    } catch (const std::exception&) {  // it does not listen yet
    }
  }
  throw std::runtime_error("Prometheus does not answer; it said:\n" + program_->output());
}

boost::json::value Prometheus::ask(const std::string& path) const {
  const auto answer = boost::json::parse(body_of(endpoint_, path));
  if (answer.at("status") != "success") {
    throw std::runtime_error(path + ": " + std::string(answer.at("error").as_string()));
  }
  return answer.at("data");
}

std::map<std::string, double> Prometheus::query(const std::string& query) const {
  const auto data = ask("/api/v1/query?query=" + percent_encoded(query));
  std::map<std::string, double> series;
  for (const auto& one : data.at("result").as_array()) {
    series[boost::json::serialize(one.at("metric"))] =
        std::stod(std::string(one.at("value").as_array().at(1).as_string()));
  }
  return series;
}

std::string complaints_of_promtool(const Arguments& arguments, const std::string& input_file) {
  std::string command = "exec " PROMTOOL;
  for (const auto& argument : arguments) command += " '" + argument + "'";
  Program program({"-c", command + " < '" + input_file + "'"}, {}, "/bin/sh");
  const auto exit_code = program.wait_exit();
  // It exits with 0 although it has found something that is unusual.
  const bool is_silent = program.standard_error().empty();
  return exit_code == 0 && is_silent ? "" : "promtool: " + program.output();
}

}  // namespace tracker::tests
