#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "cli/admin_reader.h"
#include "settings/setting_table.h"

namespace tracker::cli {

// The commands that read tokens and counts of services that run. What they print on standard output is for people, or with
// --json for programs. All throw StartupError.

struct TokensSettings {
  std::string listed;  // not empty: all are listed, as without an action
  std::string minted;  // not empty: a token is made
  // The id of the token to which something is done; empty: that is not done.
  std::string shown;
  std::string changed;
  std::string revoked;
  std::string purged;
  std::optional<std::string> label;
  std::optional<std::chrono::milliseconds> ttl;
  std::optional<std::chrono::milliseconds> idle_ttl;
  std::string state;  // of those that are listed; empty: any
  bool as_json = false;
  AdminDoorSettings doors;
};
extern const char* const about_tokens;
void add_tokens_settings(settings::SettingTable& table, TokensSettings& settings);
/// Returns false if there is no such token, or it could not be made or changed.
bool tokens(const TokensSettings& settings);

struct CountsSettings {
  std::string of;          // the id of a token, or - for a token on standard input
  std::string token_file;  // its first line is the token; empty: none was given
  std::string prefix;
  bool watches = false;
  std::chrono::milliseconds interval{2'000};
  bool as_json = false;
  AdminDoorSettings doors;
};
extern const char* const about_counts;
void add_counts_settings(settings::SettingTable& table, CountsSettings& settings);
/// Returns false if there is no such token.
bool counts(const CountsSettings& settings);

struct StatusSettings {
  bool as_json = false;
  AdminDoorSettings doors;
};
extern const char* const about_status;
void add_status_settings(settings::SettingTable& table, StatusSettings& settings);
/// Returns false if one of the services is not ready.
bool status(const StatusSettings& settings);

}  // namespace tracker::cli
