#pragma once

#include <functional>
#include <optional>
#include <string>

#include "counter/partition_record.h"
#include "store/store_contents.h"
#include "transfer/export_file.h"

namespace tracker::transfer {

/// Called now and then with what has been read or written so far. It may throw to give up; then the same can be begun again.
using Progress = std::function<void(const ExportTotals&)>;

/// A store whose tokens are read or moved, and the record of its counter, if that is one of several.
struct MovableStore {
  store::StoreContents& contents;
  std::optional<counter::PartitionRecord> record = std::nullopt;
};

struct ExportRequest {
  /// Nothing: all slots.
  std::optional<domain::SlotSet> slots = std::nullopt;
  /// The slots that are this counter's by the list, in place of `slots`.
  std::optional<std::string> lost_to = std::nullopt;
  /// Refuses hits and mints in these slots from before the first token is read until the move has ended.
  bool hold = false;
};

struct Exported {
  ExportHeader header;
  ExportTotals totals;
  std::string checksum;
};

// All of these block, and throw store::StoreError.

/// Writes the tokens to a descriptor. An export of the same held or lost slots that is made again has the same id.
Exported export_tokens(const MovableStore& store, const ExportRequest& request, int descriptor,
                       const Progress& progress);

/// Whether slots are held for this export.
bool is_held_for(const MovableStore& store, const store::ExportId& id);

/// Ends the hold of an export that was not imported: its slots count again. Returns false if nothing is held for it.
bool end_hold(const MovableStore& store, const store::ExportId& id);

/// What the counter at the target has to say to an import.
class ImportGuard {
 public:
  /// The slots in which there are only copies of tokens that had moved away. They are removed before the import.
  virtual domain::SlotSet copies(const ExportHeader& header) = 0;
  /// Returns once it is durable that tokens of this export may come into its slots. Throws store::StoreError if they must not.
  virtual void begin(const ExportHeader& header) = 0;
  /// Returns once it is durable that they are all there. Throws store::StoreError if they will not count here.
  virtual void end(const ExportHeader& header) = 0;

 protected:
  ~ImportGuard() = default;
};

struct ImportRequest {
  /// Takes also a file whose source goes on counting.
  bool copy = false;
  /// Removes what an import of another file has left in its slots, which was interrupted and does not run any more.
  bool discard_unfinished = false;
};

/// Reads the file twice: everything is checked before anything is written. The tokens count once all are there. An import
/// that was interrupted can be made again, and so can one that was completed. `guard`: null if the counter of the store is not
/// one of several.
Receipt import_tokens(store::StoreContents& contents, const ImportRequest& request, int descriptor,
                      ImportGuard* guard, const Progress& progress);

/// Removes what is here of the tokens of these slots, which are of no use any more, and all marks of the slots.
void empty_slots(store::StoreContents& contents, const domain::SlotSet& slots);

/// Removes what is still held, or is gone, and has arrived elsewhere, as the receipt says. Its slots are refused from then on.
/// `accept_loss`: also where the target can lose something. Returns what was removed.
void drop_tokens(const MovableStore& store, const Receipt& receipt, bool accept_loss);

}  // namespace tracker::transfer
