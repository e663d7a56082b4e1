#include "app/token_settings.h"

#include <memory>

#include "settings/setting_values.h"
#include "store/token_clock.h"

namespace tracker::app {

using settings::SettingTable;
using std::chrono_literals::operator""ms;

void add_token_settings(SettingTable& table, TokenSettings& settings) {
  table.begin_group(SettingTable::Group::limits);
  constexpr std::size_t most = std::size_t{1} << 40U;
  table.add_count(
      "--paths-max", settings.paths_max, 0, most,
      "How many paths a token may count; 0: any number. A request for one more is answered with 403.");
  table.add_bytes("--token-bytes-max", settings.path_bytes_max, 0, most,
                  "How many bytes the paths of a token may have together; 0: any number.");
  table.add_count("--tokens-max", settings.tokens_max, 0, most,
                  "How many tokens the store may have before no more are minted; 0: any number. In a Redis, "
                  "all keys of the database count as tokens. Behind a --redis-proxy there is no such bound.");
  table.begin_group(SettingTable::Group::deadlines);
  table.add_duration(
      "--token-ttl", settings.ttl, 0ms,
      "How long after its minting a token expires; 0: never. For tokens that are minted from now on.");
  table.add_duration(
      "--token-idle-ttl", settings.idle_ttl, 0ms,
      "How long a token may go unused before it expires; 0: for ever. For tokens that are minted from "
      "now on. They expire later than that by up to an eighth of it, and by an hour at most.");
  table.add_duration(
      "--unused-token-ttl", settings.unused_ttl, 0ms,
      "How long a token of /auth may go without counting anything before it is removed; 0: for ever.");
  table.add_duration("--retain", settings.retain, 0ms,
                     "How long the counts of a token that has expired or was revoked can still be read.");
}

store::TokenRules token_rules(const TokenSettings& settings) {
  const auto clock =
      std::make_shared<store::TokenClock>(store::system_seconds(), std::chrono::steady_clock::now());
  return {.now_s = [clock] { return clock->at(store::system_seconds(), std::chrono::steady_clock::now()); },
          .is_time_sure =
              [clock] { return clock->is_sure(store::system_seconds(), std::chrono::steady_clock::now()); },
          .paths_max = settings.paths_max,
          .path_bytes_max = settings.path_bytes_max,
          .tokens_max = settings.tokens_max};
}

counter::TokenTerms token_terms(const TokenSettings& settings, const store::TokenRules& rules) {
  return {.now_s = rules.now_s,
          .ttl_s = settings::whole_seconds(settings.ttl),
          .idle_s = settings::whole_seconds(settings.idle_ttl),
          .unused_s = settings::whole_seconds(settings.unused_ttl)};
}

}  // namespace tracker::app
