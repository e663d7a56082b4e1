#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "transfer/moves.h"

namespace tracker::transfer {

/// How commands ask a service that runs, through its admin door. The requests are lines of text, `key value`; what follows
/// from unknown keys is a refusal.

std::string to_string(const ExportRequest& request);
std::optional<ExportRequest> parse_export_request(std::string_view text);

std::string to_string(const ImportRequest& request);
std::optional<ImportRequest> parse_import_request(std::string_view text);

struct DropRequest {
  Receipt receipt;
  bool accept_loss = false;
};
std::string to_string(const DropRequest& request);
std::optional<DropRequest> parse_drop_request(std::string_view text);

// What a service answers, and a command that works on the store alone prints. They throw store::StoreError, too, if there is
// nothing to do.

/// The counters that should have tokens of this one: a name in each line.
std::string lost_owners(const MovableStore& store);
/// Nothing, if slots are held for this export.
std::string require_held(const MovableStore& store, const store::ExportId& id);
std::string end_hold_in_words(const MovableStore& store, const store::ExportId& id);
std::string drop_in_words(const MovableStore& store, const DropRequest& request);

/// `export=... kind=held slots=16384 tokens=3 counters=7 sha256=...`: what was exported, for the log and the user.
std::string to_string(const Exported& exported);

}  // namespace tracker::transfer
