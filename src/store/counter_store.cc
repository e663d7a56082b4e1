#include "store/counter_store.h"

#include <array>

namespace tracker::store {

void TrackReply::on_one_verdict_for_all(std::size_t hits, const domain::Verdict& verdict) {
  std::array<domain::HitVerdict, 256> verdicts;
  for (std::uint32_t hit = 0; hit < hits;) {
    std::size_t size = 0;
    while (size < verdicts.size() && hit < hits) verdicts[size++] = {hit++, verdict};
    on_verdicts({verdicts.data(), size});
  }
}

}  // namespace tracker::store
