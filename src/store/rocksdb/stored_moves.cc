#include "store/rocksdb/stored_moves.h"

#include <algorithm>

#include "domain/hex.h"

namespace tracker::store::rocksdb {

namespace {
constexpr std::string_view import_prefix = "import ";
}

std::uint16_t StoredMoves::number_of(const ExportId& id) const noexcept {
  const auto found = std::ranges::find(imports, id);
  return found == imports.end() ? 0 : static_cast<std::uint16_t>(found - imports.begin() + 1);
}

std::uint16_t StoredMoves::add(const ExportId& id) {
  if (const auto number = number_of(id); number != 0) return number;
  if (imports.size() >= UINT16_MAX) return 0;
  imports.push_back(id);
  return static_cast<std::uint16_t>(imports.size());
}

bool StoredMoves::is_under_way(std::uint16_t number) const noexcept {
  if (number == 0 || number > imports.size()) return false;
  return marks.is_importing(imports[number - 1]);
}

std::string StoredMoves::to_string() const {
  std::string text;
  for (const auto& id : imports) {
    text += import_prefix;
    domain::append_hex(id, text);
    text += '\n';
  }
  return text + marks.to_string();
}

std::optional<StoredMoves> StoredMoves::parse(std::string_view text) {
  StoredMoves moves;
  while (text.starts_with(import_prefix)) {
    const auto end = text.find('\n');
    if (end == text.npos) return std::nullopt;
    ExportId id{};
    if (!domain::parse_hex(text.substr(import_prefix.size(), end - import_prefix.size()), id))
      return std::nullopt;
    moves.imports.push_back(id);
    text.remove_prefix(end + 1);
  }
  auto marks = SlotMarks::parse(text);
  if (!marks) return std::nullopt;
  moves.marks = std::move(*marks);
  return moves;
}

}  // namespace tracker::store::rocksdb
