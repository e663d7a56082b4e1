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

/// `export=... kind=held slots=16384 tokens=3 counters=7 sha256=...`: what was exported, for the log and the user.
std::string to_string(const Exported& exported);

}  // namespace tracker::transfer
