#include "settings/shown_value.h"

#include <gtest/gtest.h>

namespace tracker::settings {

TEST(ShownValue, RepeatsWhatHoldsNoPassword) {
  for (const std::string text : {"", "nonsense", "127.0.0.1:99999", "[::1:80", "16XiB", "rocksdb:", "redis",
                                 "redis-cluster", "redis:6379", "redis:637x", "http://localhost:6380",
                                 "https://h", "lookup://127.0.0.1:6385", "/srv/data"}) {
    EXPECT_EQ(shown(text), "\"" + text + "\"");
  }
}

TEST(ShownValue, HidesWhatMayBeAPassword) {
  const struct {
    const char* text;
    const char* shown;
  } cases[] = {
      {"redis://:s3cret@h:1", "\"redis://***\""},
      {"redis://u:s3cret@h", "\"redis://***\""},
      {"REDIS://:s3cret@h:1", "\"REDIS://***\""},
      {"rediss://:s3cret@h:1", "\"rediss://***\""},
      {"redis://:s3cret", "\"redis://***\""},      // no host
      {"redis://s3cret/0", "\"redis://***\""},     // no @
      {"redis://:s3c/r@et@h", "\"redis://***\""},  // not encoded
      {"reddis://:s3cret@h", "\"reddis://***\""},
      {"redis//:s3cret@h", "\"***\""},
      {"redis:/:s3cret@h", "\"***\""},
      {"redis::s3cret", "\"redis:***\""},
      {"redis:/:s3cret", "\"redis:***\""},
      {"http://u:s3cret@h", "\"http://***\""},
      {":s3cret@h:1", "\"***\""},
      {"u:s3cret@h", "\"***\""},
      {"h:1,redis://:s3cret@h:1", "\"***\""},
      {"rocksdb:redis://:s3cret@h:1", "\"***\""},
      {"--redis-addr=redis://:s3cret@h:1", "\"***\""},
  };
  for (const auto& c : cases) EXPECT_EQ(shown(c.text), c.shown);
}

}  // namespace tracker::settings
