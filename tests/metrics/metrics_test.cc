// The metrics of all services, as Prometheus sees them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <cmath>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "metrics/prometheus.h"
#include "support/caller.h"
#include "support/deployment.h"
#include "support/fleet.h"
#include "support/health.h"
#include "support/raw_client.h"
#include "support/request.h"
#include "support/steady_load.h"
#include "support/temporary_directory.h"

namespace tracker::tests {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::IsEmpty;

// Values by series, such as `tracker_http_answers_total{code="200"}`.
using Series = std::map<std::string, double>;

Series scrape(const Endpoint& health) {
  const auto answer = ask_health(health, "/metrics");
  if (answer.status != 200) throw std::runtime_error(answer.to_string());
  Series series;
  std::istringstream lines(answer.body);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with('#')) continue;
    const auto end = line.rfind(' ');
    series[line.substr(0, end)] = std::stod(line.substr(end + 1));
  }
  return series;
}

std::set<std::string> names_of(const Series& series) {
  std::set<std::string> names;
  for (const auto& [name, value] : series) names.insert(name);
  return names;
}

double sum_of(const Series& series, const std::string& begin) {
  double sum = 0;
  for (const auto& [name, value] : series) sum += name.starts_with(begin) ? value : 0;
  return sum;
}

// Scrapes until `fits(series)` holds. Throws at the deadline.
template <typename Fits>
Series scrape_until(const Endpoint& health, const std::string& what, Fits fits) {
  for (const Deadline deadline; !deadline.passed(); std::this_thread::sleep_for(10ms)) {
    auto series = scrape(health);
    if (fits(series)) return series;
  }
  throw std::runtime_error("the metrics never show " + what);
}

// One service of each kind, and `serve`.
struct Everything {
  Everything()
      : fleet(Fleet::start(1)),
        serve(Service::start(
            {"serve", "--envoy-addr", "127.0.0.1:0", "--health-addr", "127.0.0.1:0", "--counter-addr",
             "127.0.0.1:0", "--store", "rocksdb:" + (directory.path() / "store").string()},
            "envoy")),
        balancer(Service::start({"balancer", "--balancer-addr", "127.0.0.1:0", "--health-addr", "127.0.0.1:0",
                                 "--counters", fleet->counter().door.to_string()},
                                "balancer")) {}

  std::map<std::string, Endpoint> healths() const {
    return {{"serve", serve.health},
            {"envoy", fleet->envoy().health},
            {"counter", fleet->counter().health},
            {"balancer", balancer.health}};
  }

  TemporaryDirectory directory;
  std::unique_ptr<Fleet> fleet;
  Service serve;
  Service balancer;
};

// Over each deployment.

using MetricsTest = DeploymentTest;
TRACKER_OVER_ALL_DEPLOYMENTS(MetricsTest);

TEST_P(MetricsTest, AreTextForPrometheus) {
  const auto answer = ask_health(shared().health(), "/metrics");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.field("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_THAT(answer.body, HasSubstr("\ntracker_ready 1\n"));
  EXPECT_LT(answer.body.size(), 64U * 1024);
}

TEST_P(MetricsTest, AreReadOnly) {
  RawClient head(shared().health());
  head.send("HEAD /metrics HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(head.read_answer(AnswerTo::head).status, 200);
  RawClient post(shared().health());
  post.send("POST /metrics HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
  const auto refused = post.read_answer();
  EXPECT_EQ(refused.status, 405);
  EXPECT_EQ(refused.field("Allow"), "GET, HEAD");
}

TEST_P(MetricsTest, CountEveryAnswerOnce) {
  const auto deployment = start();
  RawClient client(deployment->envoy());
  const auto ask = [&client](const std::string& request, int status) {
    client.send(request);
    auto answer = client.read_answer();
    EXPECT_EQ(answer.status, status) << request;
    return answer;
  };
  const auto token = token_in(ask(get_without_token("/auth"), 200));
  for (int i = 0; i < 5; ++i) ask(get("/a", token), 200);
  ask(get_without_token("/a"), 401);
  ask(get("/a", "00000000-0000-4000-8000-000000000000"), 401);
  ask(get("/a", "no token"), 401);
  ask("POST / HTTP/1.1\r\nHost: h\r\n\r\n", 405);
  RawClient other(deployment->envoy());
  other.send("GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(other.read_answer().status, 400);
  std::string pipelined;
  for (int i = 0; i < 100; ++i) pipelined += get("/b", token);
  client.send(pipelined);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(client.read_answer().status, 200);

  // The answers may be on their way before the turn that has written them ends.
  const auto series = scrape_until(deployment->health(), "all requests", [](const Series& its) {
    return its.at("tracker_http_request_duration_seconds_count") == 111;
  });
  EXPECT_EQ(series.at("tracker_http_answers_total{code=\"200\"}"), 106);
  EXPECT_EQ(series.at("tracker_http_answers_total{code=\"401\"}"), 3);
  EXPECT_EQ(series.at("tracker_http_answers_total{code=\"405\"}"), 1);
  EXPECT_EQ(series.at("tracker_http_answers_total{code=\"400\"}"), 1);
  EXPECT_EQ(sum_of(series, "tracker_http_answers_total{"), 111);
  EXPECT_EQ(series.at("tracker_http_refusals_total{reason=\"no_token\"}"), 1);
  EXPECT_EQ(series.at("tracker_http_refusals_total{reason=\"unknown_token\"}"), 1);
  EXPECT_EQ(series.at("tracker_http_refusals_total{reason=\"malformed_token\"}"), 1);
  EXPECT_EQ(series.at("tracker_http_refusals_total{reason=\"method_not_allowed\"}"), 1);
  EXPECT_EQ(series.at("tracker_http_refusals_total{reason=\"percent_encoding\"}"), 1);
  EXPECT_EQ(sum_of(series, "tracker_http_refusals_total{"), 5);
  EXPECT_EQ(series.at("tracker_tokens_minted_total{door=\"http\"}"), 1);
  EXPECT_EQ(series.at("tracker_batch_hits_sum{door=\"http\"}"), 106);  // one with the unknown token
  EXPECT_EQ(series.at("tracker_http_hits_in_flight"), 0);
  EXPECT_EQ(series.at("tracker_http_connections_accepted_total"), 2);
}

TEST_P(MetricsTest, NoClientCanMakeASeries) {
  const auto deployment = start();
  const auto before = names_of(scrape(deployment->health()));
  for (const auto& [name, value] : scrape(deployment->health())) EXPECT_TRUE(std::isfinite(value)) << name;
  Caller caller(deployment->envoy());
  const auto token = caller.mint();
  for (int i = 0; i < 50; ++i) {
    caller.ask(get("/path/" + std::to_string(i), i % 2 == 0 ? token : "strange-" + std::to_string(i)));
    RawClient odd(deployment->envoy());
    odd.send("METHOD" + std::to_string(i) + " /x HTTP/1.1\r\nHost: h" + std::to_string(i) + "\r\n\r\n");
    odd.read_answer();
  }
  const auto answer = ask_health(deployment->health(), "/metrics");
  EXPECT_EQ(names_of(scrape(deployment->health())), before);
  EXPECT_EQ(answer.body.find(token), std::string::npos);
}

// Each service.

TEST(MetricsOfServicesTest, PromtoolHasNothingToSay) {
  const Everything everything;
  for (const auto& [name, health] : everything.healths()) {
    const auto page = ask_health(health, "/metrics");
    ASSERT_EQ(page.status, 200) << name;
    const auto file = (everything.directory.path() / name).string();
    std::ofstream(file) << page.body;
    EXPECT_THAT(complaints_of_promtool({"check", "metrics"}, file), IsEmpty()) << name;
  }
}

TEST(MetricsOfServicesTest, AreThoseThatTheDocsList) {
  const auto docs = text_of(DOCS "/operations.md");
  const Everything everything;
  std::set<std::string> families;
  for (const auto& [name, health] : everything.healths()) {
    std::istringstream lines(ask_health(health, "/metrics").body);
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with("# TYPE ")) families.insert(line.substr(7, line.find(' ', 7) - 7));
    }
  }
  EXPECT_GT(families.size(), 40U);
  for (const auto& family : families) EXPECT_NE(docs.find("`" + family), docs.npos) << family;
}

TEST(MetricsOfServicesTest, AStoreOnDiskTellsItsSize) {
  const Everything everything;
  auto series = scrape(everything.serve.health);
  EXPECT_EQ(series.at("tracker_store_tokens"), 0);
  Caller caller(everything.serve.door);
  const auto token = caller.mint();
  caller.count("/a", token);
  caller.count("/a", token);
  series = scrape(everything.serve.health);
  EXPECT_EQ(series.at("tracker_store_tokens"), 1);
  EXPECT_EQ(series.at("tracker_store_tokens_limit"), 10'000'000);
  EXPECT_EQ(series.at("tracker_tokens_removed_total"), 0);
  EXPECT_GT(series.at("tracker_store_log_size_bytes"), 0);
  EXPECT_TRUE(series.contains("tracker_store_size_bytes"));
  EXPECT_TRUE(series.contains("tracker_store_compaction_pending_bytes"));
  EXPECT_EQ(series.at("tracker_commit_hits_sum{store=\"rocksdb\"}"), 2);
  EXPECT_GE(series.at("tracker_commit_duration_seconds_count{store=\"rocksdb\"}"), 2);
  EXPECT_GT(series.at("tracker_commit_duration_seconds_sum{store=\"rocksdb\"}"), 0);
}

TEST(MetricsOfServicesTest, TellOfLinksThatAreLostAndMadeAgain) {
  const auto fleet = Fleet::start(1);
  const auto& health = fleet->envoy().health;
  const auto before = scrape(health);
  const auto links = before.at("tracker_links{peer=\"counter\"}");
  EXPECT_GE(links, 1);
  EXPECT_EQ(before.at("tracker_links_ready{peer=\"counter\"}"), links);
  EXPECT_EQ(before.at("tracker_link_reconnects_total{peer=\"counter\"}"), 0);

  fleet->kill_counter();
  scrape_until(health, "that no counter is there", [](const Series& series) {
    return series.at("tracker_links_ready{peer=\"counter\"}") == 0 && series.at("tracker_ready") == 0 &&
           series.at("tracker_link_connect_failures_total{peer=\"counter\"}") > 0;
  });
  fleet->start_counter();
  scrape_until(health, "that the counter is back", [links](const Series& series) {
    return series.at("tracker_links_ready{peer=\"counter\"}") == links && series.at("tracker_ready") == 1 &&
           series.at("tracker_link_reconnects_total{peer=\"counter\"}") == links;
  });
}

// A real Prometheus.

void replace_all(std::string& text, const std::string& old, const std::string& by) {
  for (auto at = text.find(old); at != text.npos; at = text.find(old, at + by.size()))
    text.replace(at, old.size(), by);
}

// The queries of all panels, by the panels' titles, with the values of the dashboard's variables.
std::multimap<std::string, std::string> queries_of_dashboard() {
  std::multimap<std::string, std::string> queries;
  const auto dashboard = boost::json::parse(text_of(MONITORING "/dashboard.json"));
  for (const auto& panel : dashboard.at("panels").as_array()) {
    if (panel.at("type") == "row") continue;
    for (const auto& target : panel.at("targets").as_array()) {
      std::string query(target.at("expr").as_string());
      replace_all(query, "$__rate_interval", "10s");
      replace_all(query, "$instance", ".*");
      replace_all(query, "$job", "tracker");
      EXPECT_EQ(query.find('$'), query.npos) << query;
      queries.emplace(panel.at("title").as_string(), query);
    }
  }
  return queries;
}

// Of the memory store, which is not among the targets.
constexpr const char* only_in_memory = "tracker_store_counters";

TEST(PrometheusTest, ScrapesEveryServiceAndAnswersEveryQueryOfTheDashboard) {
  const Everything everything;
  std::vector<Endpoint> targets;
  for (const auto& [name, health] : everything.healths()) targets.push_back(health);
  const Prometheus prometheus(targets);
  const auto load_of = [](const Endpoint& envoy) {
    return SteadyLoad(envoy, {Caller(envoy).mint()}, {"/a", "/b"}, 2);
  };
  const auto load = load_of(everything.serve.door);
  const auto fleet_load = load_of(everything.fleet->envoy().door);

  const auto queries = queries_of_dashboard();
  EXPECT_GT(queries.size(), 40U);
  const Deadline deadline;
  for (const auto& [panel, query] : queries) {
    if (query.starts_with(only_in_memory)) {
      EXPECT_NO_THROW(prometheus.query(query)) << panel << ": " << query;
      continue;
    }
    const auto has_value = [&, &its_query = query] {
      for (const auto& [labels, value] : prometheus.query(its_query)) {
        if (std::isfinite(value)) return true;
      }
      return false;
    };
    bool found = has_value();
    for (; !found && !deadline.passed(); found = has_value()) std::this_thread::sleep_for(50ms);
    EXPECT_TRUE(found) << panel << ": " << query;
  }
  const auto up = prometheus.query("up{job=\"tracker\"}");
  EXPECT_EQ(up.size(), 4U);
  for (const auto& [labels, value] : up) EXPECT_EQ(value, 1) << labels;

  // It can evaluate all alerts. Whether one is pending depends on how busy the machine is.
  const auto rules = [&] {
    return prometheus.ask("/api/v1/rules").at("groups").at(0).at("rules").as_array();
  };
  const auto evaluated = [&] {
    for (const auto& rule : rules()) {
      if (rule.at("health") == "unknown") return false;
    }
    return true;
  };
  while (!evaluated() && !deadline.passed()) std::this_thread::sleep_for(50ms);
  EXPECT_GT(rules().size(), 10U);
  for (const auto& rule : rules()) {
    EXPECT_EQ(rule.at("health"), "ok") << rule;
  }
}

TEST(PrometheusTest, ConfigurationAndAlertsAreWellFormed) {
  EXPECT_THAT(complaints_of_promtool({"check", "config", MONITORING "/prometheus.yml"}), IsEmpty());
  EXPECT_THAT(complaints_of_promtool({"check", "rules", MONITORING "/alerts.yml"}), IsEmpty());
}

TEST(PrometheusTest, EachAlertFiresWhenItShould) {
  const std::string cases = SOURCES "/metrics/alerts_test.yml";
  EXPECT_THAT(complaints_of_promtool({"test", "rules", cases}), IsEmpty());
  const auto tested = text_of(cases);
  std::istringstream alerts(text_of(MONITORING "/alerts.yml"));
  int count = 0;
  for (std::string line; std::getline(alerts, line);) {
    const auto at = line.find("- alert: ");
    if (at == line.npos) continue;
    ++count;
    EXPECT_THAT(tested, HasSubstr("alertname: " + line.substr(at + 9) + "\n"));
  }
  EXPECT_GT(count, 10);
}

}  // namespace
}  // namespace tracker::tests
