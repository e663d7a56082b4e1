#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "domain/slot.h"
#include "domain/token_id.h"

namespace tracker::doors {

/// The answer of the admin door to a request below /v1/.
struct ApiAnswer {
  unsigned status = 200;
  std::string type = "application/json";
  std::string body = {};
  std::string next = {};   // the target of the next page; empty: there is none
  std::string allow = {};  // of 405: the methods
  std::string about = {};  // the id of the token that was made or changed, for the log
};

/// An answer that says what is wrong (RFC 9457).
ApiAnswer problem(unsigned status, const std::string& detail);

/// Ends what answer_of() does with that answer.
[[noreturn]] void refuse(unsigned status, const std::string& detail);
[[noreturn]] void refuse(ApiAnswer answer);

/// Returns the answer of `make`, or the one for what it throws: a refusal, std::invalid_argument (400),
/// store::UnsupportedError (501), store::StoreError (503).
ApiAnswer answer_of(const std::function<ApiAnswer()>& make);

/// A target below /v1/, in its parts.
struct ApiTarget {
  explicit ApiTarget(std::string_view target);

  std::string_view path;
  std::string_view query;  // behind the question mark
  /// The part of the path behind /v1/tokens/, as an id; `rest` must follow it. Refuses what is none.
  domain::TokenId token_id(std::string_view rest = "") const;
  bool is_below_tokens() const { return path.starts_with("/v1/tokens/"); }
};

/// Which tokens this service answers for. Any thread.
struct OwnTokens {
  /// The slots whose tokens are this counter's, so that no token is told by two. Null: all.
  std::function<domain::SlotSet()> own_slots = nullptr;
  /// Who owns the token, if that is another counter. Null: nobody else owns any.
  std::function<std::optional<std::string>(const domain::TokenId&)> owner_elsewhere = nullptr;

  domain::SlotSet slots() const { return own_slots ? own_slots() : domain::SlotSet{}.set(); }
  /// Refuses a token that is not among them.
  void require(const domain::TokenId& id) const;
};

}  // namespace tracker::doors
