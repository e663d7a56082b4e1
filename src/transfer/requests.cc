#include "transfer/requests.h"

#include <algorithm>
#include <array>
#include <utility>

#include "counter/lost_slots.h"
#include "store/store_error.h"

namespace tracker::transfer {

namespace {

/// Calls `take` with each key and its value. Returns false if that returns false.
template <typename Take>
bool for_each_line(std::string_view text, Take take) {
  while (!text.empty()) {
    const auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const auto space = std::min(line.find(' '), line.size());
    if (!take(line.substr(0, space), line.substr(std::min(space + 1, line.size())))) return false;
  }
  return true;
}

}  // namespace

std::string to_string(const ExportRequest& request) {
  std::string text;
  if (request.slots) text += "slots " + slots_text(*request.slots) + "\n";
  if (request.lost_to) text += "lost " + *request.lost_to + "\n";
  if (request.hold) text += "hold\n";
  return text;
}

std::optional<ExportRequest> parse_export_request(std::string_view text) {
  ExportRequest request;
  const bool is_known = for_each_line(text, [&](std::string_view key, std::string_view value) {
    if (key == "slots") return (request.slots = parse_slots(value)).has_value();
    if (key == "lost") return !request.lost_to.emplace(value).empty();
    if (key == "hold") return request.hold = true;
    return false;
  });
  if (!is_known) return std::nullopt;
  return request;
}

std::string to_string(const ImportRequest& request) {
  return std::string(request.copy ? "copy\n" : "") +
         (request.discard_unfinished ? "discard_unfinished\n" : "");
}

std::optional<ImportRequest> parse_import_request(std::string_view text) {
  ImportRequest request;
  const bool is_known = for_each_line(text, [&](std::string_view key, std::string_view /*value*/) {
    if (key == "copy") return request.copy = true;
    return key == "discard_unfinished" && (request.discard_unfinished = true);
  });
  if (!is_known) return std::nullopt;
  return request;
}

std::string to_string(const DropRequest& request) {
  return "receipt " + request.receipt.to_string() + "\n" + (request.accept_loss ? "accept_loss\n" : "");
}

std::optional<DropRequest> parse_drop_request(std::string_view text) {
  std::optional<Receipt> receipt;
  bool accept_loss = false;
  const bool is_known = for_each_line(text, [&](std::string_view key, std::string_view value) {
    if (key == "receipt") return (receipt = Receipt::parse(value)).has_value();
    return key == "accept_loss" && (accept_loss = true);
  });
  if (!is_known || !receipt) return std::nullopt;
  return DropRequest{std::move(*receipt), accept_loss};
}

std::string lost_owners(const MovableStore& store) {
  std::string names;
  if (!store.record) return names;
  for (const auto& [name, slots] : counter::lost_slots(*store.record)) names += name + "\n";
  return names;
}

std::string require_held(const MovableStore& store, const store::ExportId& id) {
  if (!is_held_for(store, id)) throw store::StoreError("nothing is held for export " + to_hex(id));
  return "";
}

std::string end_hold_in_words(const MovableStore& store, const store::ExportId& id) {
  require_held(store, id);
  end_hold(store, id);
  return "the hold for export " + to_hex(id) + " has ended: its slots count again";
}

std::string drop_in_words(const MovableStore& store, const DropRequest& request) {
  drop_tokens(store, request.receipt, request.accept_loss);
  return "what export " + to_hex(request.receipt.id) + " has moved is removed here";
}

std::string to_string(const Exported& exported) {
  constexpr std::array kinds{"held", "lost", "copy"};
  return "export=" + to_hex(exported.header.id) +
         " kind=" + kinds.at(static_cast<std::size_t>(exported.header.kind)) +
         " slots=" + std::to_string(exported.header.slots.count()) +
         " tokens=" + std::to_string(exported.totals.tokens) +
         " counters=" + std::to_string(exported.totals.counters) + " sha256=" + exported.checksum;
}

}  // namespace tracker::transfer
