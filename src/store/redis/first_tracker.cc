#include "store/redis/first_tracker.h"

#include <hiredis/hiredis.h>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "domain/token.h"
#include "store/redis/redis_nodes.h"
#include "store/redis/redis_round.h"
#include "store/store_error.h"

namespace tracker::store::redis {

namespace {

using domain::SlotSet;
using domain::TokenId;

constexpr std::size_t page_bytes = std::size_t{1} << 20U;
/// The keys of a token begin with its text.
constexpr std::string_view keys_of_tokens = "*-*-*-*-*";

/// A token as it stands in the keys.
struct FoundToken {
  std::string text;
  std::set<std::string> paths = {};
};

class Reader final : public TokenReader {
 public:
  Reader(std::shared_ptr<RedisNodes> nodes, const SlotSet& slots, std::size_t key_bytes_max)
      : nodes_(std::move(nodes)), slots_(slots), key_bytes_max_(key_bytes_max) {}

  std::vector<StoredToken> next() override {
    std::vector<StoredToken> page;
    while (page.empty() && (!found_.empty() || (is_more_ && find()))) page = read_page();
    return page;
  }

 private:
  /// Finds the tokens with the lowest ids above the last one, as many as have room in memory. Returns whether there are any.
  bool find() {
    std::size_t bytes = 0;
    std::optional<TokenId> left_out;  // the lowest
    const auto begin = [&] {
      found_.clear();
      left_out.reset();
      bytes = 0;
    };
    begin();
    nodes_->scan(keys_of_tokens, begin, [&](std::string_view key) {
      const auto text = key.substr(0, domain::token_text_size);
      const auto rest = key.substr(text.size());
      const auto token = domain::parse_token(text);
      if (!token || rest == "_" || (!rest.empty() && rest.front() != '_')) return;
      const auto id = domain::token_id(*token);
      if ((last_ && id <= *last_) || (left_out && id >= *left_out) || !slots_[domain::slot_of(id)]) return;
      auto& its = found_.try_emplace(id, FoundToken{std::string(text)}).first->second;
      if (rest.empty() || !its.paths.emplace(rest.substr(1)).second) return;
      bytes += sizeof(std::string) + rest.size();
      while (bytes > key_bytes_max_ && found_.size() > 1) {
        const auto highest = std::prev(found_.end());
        for (const auto& path : highest->second.paths) bytes -= sizeof(std::string) + path.size() + 1;
        left_out = highest->first;
        found_.erase(highest);
      }
    });
    is_more_ = left_out.has_value();
    if (!found_.empty()) last_ = std::prev(found_.end())->first;
    return !found_.empty();
  }

  std::vector<StoredToken> read_page() {
    std::vector<std::pair<TokenId, FoundToken>> tokens;
    std::vector<RedisTask> tasks;
    for (std::size_t bytes = 0; !found_.empty() && bytes < page_bytes;) {
      auto& [id, its] = tokens.emplace_back(found_.begin()->first, std::move(found_.begin()->second));
      found_.erase(found_.begin());
      std::vector<std::string> keys{its.text};
      for (const auto& path : its.paths) keys.push_back(its.text + '_' + path);
      std::vector<std::string_view> command{"MGET"};
      command.insert(command.end(), keys.begin(), keys.end());
      tasks.emplace_back(domain::slot_of(id), its.text).add(command);
      for (const auto& key : keys) bytes += key.size() + sizeof(StoredCount);
    }
    nodes_->run(tasks, RedisNodes::Kind::reads);
    std::vector<StoredToken> page;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      const auto& [id, its] = tokens[i];
      if (auto token = token_of(id, its, *tasks[i].replies.front())) page.push_back(std::move(*token));
    }
    return page;
  }

  /// Nothing: it is not valid.
  static std::optional<StoredToken> token_of(const TokenId& id, const FoundToken& found,
                                             const redisReply& reply) {
    if (string_of(*reply.element[0]) != "true") return std::nullopt;
    StoredToken token{.id = id};
    std::size_t i = 0;
    for (const auto& path : found.paths) {
      const auto value = string_of(*reply.element[++i]);
      if (value.empty()) continue;  // it was removed meanwhile
      const auto count = count_of(value);
      if (!count) {
        throw StoreError("the count of a path of token " + to_string(id) +
                         " is no number in the Redis of the first tracker; correct or remove it");
      }
      token.counts.push_back({path, *count});
    }
    return token;
  }

  const std::shared_ptr<RedisNodes> nodes_;
  const SlotSet slots_;
  const std::size_t key_bytes_max_;
  std::map<TokenId, FoundToken> found_;  // to be read
  std::optional<TokenId> last_;
  bool is_more_ = true;
};

class FirstTracker final : public StoreContents {
 public:
  FirstTracker(const RedisSettings& settings, std::size_t key_bytes_max)
      : nodes_(std::make_shared<RedisNodes>(settings)), key_bytes_max_(key_bytes_max) {}

  /// It has no identity.
  StoreFacts facts() override { return {}; }
  std::string what_can_be_lost() override { return ""; }
  std::unique_ptr<TokenReader> read(const SlotSet& slots) override {
    return std::make_unique<Reader>(nodes_, slots, key_bytes_max_);
  }
  SlotMarks marks() override { return {}; }
  void set_mark(const SlotMark& /*mark*/) override { refuse(); }
  void clear_marks(const SlotSet& /*slots*/) override { refuse(); }
  bool has_imported(const ExportId& /*export_id*/) override { refuse(); }
  std::vector<Presence> find(const ExportId& /*export_id*/,
                             std::span<const StoredToken> /*tokens*/) override {
    refuse();
  }
  void put(const ExportId& /*export_id*/, std::span<const StoredToken> /*tokens*/) override { refuse(); }
  void remove(const SlotSet& /*slots*/) override { refuse(); }

 private:
  [[noreturn]] static void refuse() {
    throw StoreError(
        "a Redis of the first tracker is only read: end the first tracker, export without --hold, and "
        "import with --copy");
  }

  const std::shared_ptr<RedisNodes> nodes_;
  const std::size_t key_bytes_max_;
};

}  // namespace

std::unique_ptr<StoreContents> first_tracker_contents(const RedisSettings& settings,
                                                      std::size_t key_bytes_max) {
  return std::make_unique<FirstTracker>(settings, key_bytes_max);
}

}  // namespace tracker::store::redis
