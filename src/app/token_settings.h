#pragma once

#include <chrono>
#include <cstddef>

#include "counter/token_terms.h"
#include "settings/setting_table.h"
#include "store/token_rules.h"

namespace tracker::app {

inline constexpr std::size_t tokens_max_default = 10'000'000;

/// How long tokens live, and what one may fill.
struct TokenSettings {
  std::chrono::milliseconds ttl{0};
  std::chrono::milliseconds idle_ttl{0};
  std::chrono::milliseconds unused_ttl = std::chrono::hours(24);
  std::chrono::milliseconds retain = std::chrono::hours(24) * 30;
  std::size_t paths_max = 10'000;
  std::size_t path_bytes_max = std::size_t{1} << 20U;
  std::size_t tokens_max = tokens_max_default;
};

/// Declares them. The target must outlive the table.
void add_token_settings(settings::SettingTable& table, TokenSettings& settings);

/// For the store.
store::TokenRules token_rules(const TokenSettings& settings);

/// For the counter over a store with these rules, whose clock it shares.
counter::TokenTerms token_terms(const TokenSettings& settings, const store::TokenRules& rules);

}  // namespace tracker::app
