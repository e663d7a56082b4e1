#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "counter/busiest.h"
#include "domain/readiness.h"
#include "domain/slot.h"
#include "domain/token_id.h"
#include "doors/api_answer.h"
#include "doors/page_query.h"
#include "store/count_reader.h"
#include "store/token_rules.h"

namespace tracker::doors {

/// What GET /v1/status tells. Sentences are in plain words.
struct AdminStatus {
  std::string service = {};  // serve or counter
  std::string version = {};
  std::chrono::system_clock::time_point started{};
  domain::Readiness readiness = domain::Readiness::not_ready("it is not known yet");
  std::string store = {};     // as --store names it
  std::string store_id = {};  // 32 hex digits; empty: it is not known
  std::string can_lose = {};  // empty: nothing
  std::optional<std::chrono::system_clock::time_point> last_backup = {};  // since the start
  struct Counter {
    std::string name;
    std::string address;
    std::size_t slots = 0;
    bool is_leaving = false;
    bool is_this = false;
  };
  // Since the start, at all doors where hits come.
  std::uint64_t hits = 0;                              // that were counted
  std::map<std::string, std::uint64_t> refusals = {};  // by reason
  std::uint64_t list_version = 0;
  std::vector<Counter> counters = {};  // empty: this one owns every token
  std::size_t own_slots = domain::slots;
  std::size_t settled_slots = domain::slots;
  std::size_t lost_slots = 0;  // others' by the list; their tokens are still here
};

/// The requests of the admin door that read: GET below /v1/. docs/openapi.yaml describes them. A store that a reading
/// could slow down is read in short steps with pauses. One thread at a time, which is no worker's, but for end().
class AdminApi {
 public:
  struct Parts {
    /// Null: the store cannot be read.
    std::function<std::unique_ptr<store::CountReader>()> make_reader = nullptr;
    OwnTokens own = {};
    /// By which tokens end.
    std::function<domain::Seconds()> now_s = store::system_seconds;
    std::function<AdminStatus()> status = nullptr;
    /// Null: it is not known.
    std::function<counter::Busiest::Periods(counter::Busiest::By)> busiest = nullptr;
  };
  explicit AdminApi(Parts parts) : parts_(std::move(parts)) {}

  using Answer = ApiAnswer;
  /// Answers a GET. `accept` is the value of the field of the same name.
  Answer get(std::string_view target, std::string_view accept);

  /// What is being read is given up: it is answered with 503. Any thread.
  void end();

 private:
  Answer tokens(const PageQuery& query, bool as_csv);
  Answer token(const domain::TokenId& id);
  Answer counts(const domain::TokenId& id, std::string_view query, bool as_csv);
  Answer status();
  Answer top(const PageQuery& query, bool as_csv);
  store::CountReader& reader();
  void pause(std::chrono::steady_clock::duration step);

  const Parts parts_;
  std::unique_ptr<store::CountReader> reader_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool has_ended_ = false;  // mutex_
};

}  // namespace tracker::doors
