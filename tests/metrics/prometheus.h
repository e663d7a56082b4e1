#ifndef TRACKER_TESTS_METRICS_PROMETHEUS_H_
#define TRACKER_TESTS_METRICS_PROMETHEUS_H_

#include <boost/json/value.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "support/endpoint.h"
#include "support/program.h"
#include "support/temporary_directory.h"

namespace tracker::tests {

// A real Prometheus on a port of 127.0.0.1, with the configuration and the alerts in packaging/monitoring/, but for the
// targets and the pace. It ends with this object. Main thread of the test only.
class Prometheus {
 public:
  // Returns when it answers. It scrapes these health doors four times a second.
  explicit Prometheus(const std::vector<Endpoint>& targets);

  // The value at `path` of its API, which must succeed.
  boost::json::value ask(const std::string& path) const;

  // The result of a query of a moment: the values of its series, by their labels as JSON. Throws if Prometheus refuses
  // the query.
  std::map<std::string, double> query(const std::string& query) const;

 private:
  bool wait_for_answer();

  const TemporaryDirectory directory_;
  Endpoint endpoint_;
  std::unique_ptr<Program> program_;
};

// The contents of a file. Throws if there are none.
std::string text_of(const std::string& file);

// Runs promtool to its end, with the file as its standard input if one is given. Returns its output if it fails or finds
// anything; otherwise nothing.
std::string complaints_of_promtool(const Arguments& arguments, const std::string& input_file = "/dev/null");

}  // namespace tracker::tests

#endif  // TRACKER_TESTS_METRICS_PROMETHEUS_H_
