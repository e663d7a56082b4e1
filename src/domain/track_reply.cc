#include "domain/track_reply.h"

#include <array>
#include <cstdint>

namespace tracker::domain {

void TrackReply::on_one_verdict_for_all(std::size_t hits, const Verdict& verdict) {
  std::array<HitVerdict, 256> verdicts;
  for (std::uint32_t hit = 0; hit < hits;) {
    std::size_t size = 0;
    while (size < verdicts.size() && hit < hits) verdicts[size++] = {hit++, verdict};
    on_verdicts({verdicts.data(), size});
  }
}

}  // namespace tracker::domain
